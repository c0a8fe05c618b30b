/* SPDX-License-Identifier: Apache-2.0 */
/* toy.c - a guest kernel that misbehaves.
 *
 * Entered as Linux is, in 64-bit mode with the first 4 GiB mapped one to one
 * (monitor/arch/x86_64/layout.h). The word "toy=..." of the kernel command
 * line says what it does:
 *
 *   triple    a triple fault
 *   spin      computes for ever
 *   sleep     halts for ever
 *   reset     asks the keyboard controller for a reset
 *   panic     says that it panicked
 *   off       switches the machine off
 *   flood:N   N pages to the console, then off
 *   poke:N    nonsense to all registers of all virtio devices, and into their
 *             rings, from seed N; then off
 *   walk:N    sets devices up by the book, then gives them nonsense requests */
#include <stdint.h>

#define CMD_LINE_PTR 0x228 /* in boot_params */
#define VIRTIO_AT 0xd0000000u
#define POWER_AT 0xd0100000u
#define PANIC_AT 0xd0101000u
#define SERIAL 0x3f8
#define SLOTS 4
#define RAM_AT 0x2000000u /* where nothing of ours is */
#define RAM_LEN 0x1000000u
#define RING_MAX 64

/* No stack yet: the first instructions make one. */
__asm__(".globl start\n"
	"start:\n"
	"	lea stack_end(%rip), %rsp\n"
	"	mov %rsi, %rdi\n"
	"	call toy_main\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	"	.bss\n"
	"	.balign 16\n"
	"	.skip 16384\n"
	"stack_end:\n"
	"	.text\n");

void toy_main(const uint8_t *boot_params);

static uint64_t state;

static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static void outb(uint16_t port, uint8_t val)
{
	__asm__ volatile("outb %0, %1" : : "a"(val), "Nd"(port));
}

static void puts(const char *s)
{
	while (*s)
		outb(SERIAL, (uint8_t)*s++);
}

static void put32(uint64_t at, uint32_t val)
{
	*(volatile uint32_t *)at = val;
}

static uint32_t get32(uint64_t at)
{
	return *(volatile uint32_t *)at;
}

static void put16(uint64_t at, uint16_t val)
{
	*(volatile uint16_t *)at = val;
}

static void off(void)
{
	put32(POWER_AT, 1);
	for (;;)
		__asm__ volatile("hlt");
}

static void triple(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

/* One instruction for many bytes: as quick as the console can be. */
static void flood(uint64_t pages)
{
	static char text[4096];

	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = i % 64 == 63 ? '\n' : (char)('a' + i % 26);
	while (pages-- > 0) {
		const char *p = text;
		uint64_t n = sizeof(text);

		__asm__ volatile("rep outsb"
				 : "+S"(p), "+c"(n)
				 : "d"((uint16_t)SERIAL)
				 : "memory");
	}
	puts("\ntoy: flood is over\n");
}

/* ---- devices ---- */

/* An address: mostly RAM that is free, else anything at all. */
static uint64_t somewhere(void)
{
	uint64_t r = next();

	switch (r & 7) {
	case 0:
		return next();
	case 1:
		return 0x7ffff000u + (next() & 0xffff);
	case 2:
		return UINT64_MAX - (next() & 0xffff);
	case 3:
		return VIRTIO_AT + (next() & 0xffff);
	default:
		return RAM_AT + next() % RAM_LEN;
	}
}

static void scribble(uint64_t at, unsigned len)
{
	for (unsigned i = 0; i < len; i += 4)
		put32(at + i, (uint32_t)next());
}

/* Any register but those that other devices' windows begin with. */
static void poke_register(unsigned slot)
{
	uint64_t at = VIRTIO_AT + slot * 0x1000u, val = next();
	uint64_t reg = next() & 1 ? next() % 0x1000 : next() % 0x120 & ~3ull;

	/* Across the end of a page two devices would answer. */
	if (reg > 0xff8)
		reg = 0xff8;
	switch (next() & 15) {
	case 0:
		*(volatile uint8_t *)(at + reg) = (uint8_t)val;
		break;
	case 1:
		*(volatile uint16_t *)(at + reg) = (uint16_t)val;
		break;
	case 2:
		*(volatile uint64_t *)(at + reg) = val;
		break;
	case 3:
		(void)*(volatile uint64_t *)(at + reg);
		break;
	case 4:
		(void)*(volatile uint8_t *)(at + reg);
		break;
	default:
		put32(at + (reg & ~3ull),
		      val & 1 ? (uint32_t)val : (uint32_t)(val >> 60));
	}
}

/* Negotiates what the device offers and gives each queue rings in free RAM;
 * with mad, the addresses and sizes are anything. */
static void bring_up(unsigned slot, int mad)
{
	uint64_t at = VIRTIO_AT + slot * 0x1000u;
	uint64_t ring = RAM_AT + RAM_LEN + slot * 0x40000u;
	uint32_t low, high;

	put32(at + 0x70, 0);
	put32(at + 0x70, 1);
	put32(at + 0x70, 3);
	put32(at + 0x14, 0);
	low = get32(at + 0x10);
	put32(at + 0x14, 1);
	high = get32(at + 0x10);
	put32(at + 0x24, 0);
	put32(at + 0x20, mad ? low & (uint32_t)next() : low);
	put32(at + 0x24, 1);
	put32(at + 0x20, high);
	put32(at + 0x70, 11);
	for (unsigned q = 0; q < 4; q++) {
		uint64_t d = mad ? somewhere() : ring + q * 0x4000;
		uint64_t a = mad ? somewhere() : ring + q * 0x4000 + 0x1000;
		uint64_t u = mad ? somewhere() : ring + q * 0x4000 + 0x2000;

		put32(at + 0x30, q);
		if (get32(at + 0x34) == 0)
			continue;
		put32(at + 0x38, mad ? (uint32_t)next() & 0x3ff : RING_MAX);
		put32(at + 0x80, (uint32_t)d);
		put32(at + 0x84, (uint32_t)(d >> 32));
		put32(at + 0x90, (uint32_t)a);
		put32(at + 0x94, (uint32_t)(a >> 32));
		put32(at + 0xa0, (uint32_t)u);
		put32(at + 0xa4, (uint32_t)(u >> 32));
		put32(at + 0x44, 1);
	}
	put32(at + 0x70, 15);
}

/* Descriptors of which some are good, an index that runs ahead, a bell. */
static void ask(unsigned slot)
{
	uint64_t at = VIRTIO_AT + slot * 0x1000u;
	uint32_t q = (uint32_t)next() & 3;
	uint64_t ring = RAM_AT + RAM_LEN + slot * 0x40000u + q * 0x4000;

	for (unsigned i = 0; i < RING_MAX; i++) {
		uint64_t to = somewhere();
		uint32_t len = (uint32_t)next();

		put32(ring + i * 16, (uint32_t)to);
		put32(ring + i * 16 + 4, (uint32_t)(to >> 32));
		put32(ring + i * 16 + 8, len & 1 ? len : len >> 20);
		put16(ring + i * 16 + 12, (uint16_t)(next() & 7));
		put16(ring + i * 16 + 14, (uint16_t)(next() % RING_MAX));
		put16(ring + 0x1000 + 4 + i * 2, (uint16_t)(next() % RING_MAX));
	}
	/* Request headers: their first words are types and lengths. */
	for (unsigned i = 0; i < 256; i++)
		scribble(RAM_AT + (next() % (RAM_LEN - 64) & ~3ull), 32);
	put16(ring + 0x1000 + 2,
	      (uint16_t)(next() & 7 ? next() % RING_MAX : next()));
	put32(at + 0x50, q);
}

static void poke(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		unsigned slot = next() % SLOTS;

		if ((next() & 31) == 0)
			bring_up(slot, 1);
		poke_register(slot);
	}
	puts("toy: poke done\n");
}

static void walk(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		unsigned slot = next() % SLOTS;

		bring_up(slot, 0);
		for (unsigned n = 0; n < 8; n++)
			ask(slot);
	}
	puts("toy: walk done\n");
}

/* ---- what to do ---- */

/* Behind the last "toy=", or an empty string. */
static const char *word(const char *line)
{
	const char *found = "";

	for (; *line; line++)
		if (line[0] == 't' && line[1] == 'o' && line[2] == 'y' &&
		    line[3] == '=')
			found = line + 4;
	return found;
}

static int is(const char *at, const char *what)
{
	while (*what)
		if (*at++ != *what++)
			return 0;
	return 1;
}

static uint64_t number(const char *at)
{
	uint64_t n = 0;

	while (*at && *at != ':')
		at++;
	for (at += *at == ':'; *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	return n;
}

void toy_main(const uint8_t *boot_params)
{
	uint32_t line = *(const uint32_t *)(boot_params + CMD_LINE_PTR);
	const char *w = word((const char *)(uint64_t)line);

	state = number(w) + 0x9e3779b97f4a7c15ull;
	puts("toy: here\n");
	if (is(w, "triple"))
		triple();
	while (is(w, "spin"))
		next();
	if (is(w, "sleep"))
		return;
	if (is(w, "reset"))
		outb(0x64, 0xfe);
	if (is(w, "panic"))
		*(volatile uint8_t *)(uint64_t)PANIC_AT = 1;
	if (is(w, "flood"))
		flood(number(w));
	if (is(w, "poke"))
		poke(4000);
	if (is(w, "walk"))
		walk(60);
	off();
}
