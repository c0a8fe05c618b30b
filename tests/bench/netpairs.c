/* SPDX-License-Identifier: Apache-2.0 */
/* netpairs - the network device alone, with one pair of queues and with two, on
 * a tap in a network namespace of its own; root's.
 *
 * usage: netpairs [ROUNDS]
 *
 *   send     frames of 1500 bytes to a port of the host where nobody reads
 *   receive  as many that wait in the tap already, so that who sent them takes
 *            no CPU from who reads
 *
 * The guest is one thread in both cases: it gives each queue what came back
 * from it, with pauses. Frames a second, and the CPU all of it took; the rounds
 * take turns. */
#include "base/auto.h"
#include "base/fd.h"
#include "dev/net_priv.h"
#include "tests/guest/guest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define PAIRS_MAX 2u
#define RING 256
#define LEN 1500u /* of a frame behind its virtio header, ICMP and all */
#define BYTES (NET_HDR + NET_ETH + LEN)
#define SEND 300000u
#define RECEIVE 30000u /* wait in the tap */
#define REFILL_NS 50000
#define HOST_IP 0x0a090001u
#define GUEST_IP 0x0a090002u
#define PORT 9000u

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 7 };

struct bench {
	unsigned pairs;
	struct guest g;
	struct loop loop;
	pthread_mutex_t lock;
	struct virtio *v;
	struct watch kick;
	struct ring rx[PAIRS_MAX], tx[PAIRS_MAX], ctrl;
	int fd[PAIRS_MAX];
	uint8_t host_mac[6];
	/* what the driver does */
	bool sends;
	unsigned total, done;
	unsigned posted;
	atomic_bool over;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* ---- the host ---- */

static void set_address(int s, unsigned long what, struct ifreq *r, uint32_t ip)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&r->ifr_addr;

	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(ip);
	must(ioctl(s, what, r) == 0, "address");
}

static void open_host(struct bench *b)
{
	struct ifreq r = { .ifr_name = "bench0" };
	struct arpreq arp = { .arp_flags = ATF_PERM | ATF_COM };
	struct sockaddr_in *pa = (struct sockaddr_in *)(void *)&arp.arp_pa;
	int header = NET_HDR, s;

	must(unshare(CLONE_NEWNET) == 0, "a network namespace");
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (unsigned i = 0; i < b->pairs; i++) {
		b->fd[i] = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
		r.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
		if (b->pairs > 1)
			r.ifr_flags |= IFF_MULTI_QUEUE;
		must(ioctl(b->fd[i], TUNSETIFF, &r) == 0, "tap");
		must(ioctl(b->fd[i], TUNSETVNETHDRSZ, &header) == 0, "header");
	}
	r.ifr_qlen = RECEIVE;
	must(ioctl(s, SIOCSIFTXQLEN, &r) == 0, "queue");
	set_address(s, SIOCSIFADDR, &r, HOST_IP);
	set_address(s, SIOCSIFNETMASK, &r, 0xffffff00u);
	r.ifr_flags = IFF_UP;
	must(ioctl(s, SIOCSIFFLAGS, &r) == 0, "up");
	must(ioctl(s, SIOCGIFHWADDR, &r) == 0, "mac");
	memcpy(b->host_mac, r.ifr_hwaddr.sa_data, 6);
	pa->sin_family = AF_INET;
	pa->sin_addr.s_addr = htonl(GUEST_IP);
	arp.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(arp.arp_ha.sa_data, our_mac, 6);
	snprintf(arp.arp_dev, sizeof(arp.arp_dev), "bench0");
	must(ioctl(s, SIOCSARP, &arp) == 0, "arp");
	close(s);
}

static int port_of(unsigned i)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)(PORT + i)),
				  .sin_addr.s_addr = htonl(HOST_IP) };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(bind(s, (struct sockaddr *)&in, sizeof(in)) == 0, "bind");
	return s;
}

/* What waits in the tap for the guest: a flow for each of two ports. */
static void load(const int *s)
{
	static uint8_t raw[LEN - 28];
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(GUEST_IP) };

	for (unsigned i = 0; i < RECEIVE; i++) {
		in.sin_port = htons((uint16_t)(PORT + i % PAIRS_MAX));
		must(sendto(s[i % PAIRS_MAX], raw, sizeof(raw), 0,
			    (struct sockaddr *)&in, sizeof(in)) > 0,
		     "send to the guest");
	}
}

/* ---- the guest ---- */

static uint16_t ip_sum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *p, unsigned x)
{
	p[0] = (uint8_t)(x >> 8);
	p[1] = (uint8_t)x;
}

/* UDP of a flow to the same port of the host. */
static void write_frame(const struct bench *b, uint8_t *p, unsigned flow)
{
	const uint32_t ip[] = { htonl(GUEST_IP), htonl(HOST_IP) };
	uint8_t *eth = p + NET_HDR, *at = eth + NET_ETH;

	memset(p, 0, BYTES);
	memcpy(eth, b->host_mac, 6);
	memcpy(eth + 6, our_mac, 6);
	put16(eth + 12, 0x0800);
	at[0] = 0x45;
	put16(at + 2, LEN);
	at[8] = 64;
	at[9] = IPPROTO_UDP;
	memcpy(at + 12, ip, sizeof(ip));
	put16(at + 10, ip_sum(at));
	put16(at + 20, PORT + flow);
	put16(at + 22, PORT + flow);
	put16(at + 24, LEN - 20);
}

static void fill_ring(struct bench *b, struct ring *r, bool in, unsigned flow,
		      unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		gpa_t at = guest_alloc(&b->g, 2048, 2048);
		struct seg s = { at, in ? 2048 : BYTES, in };

		write_frame(b, guest_at(&b->g, at, 2048), flow);
		ring_add(r, &s, 1);
		b->posted++;
	}
}

/* Gives back what came back, while there is more to do. */
static void turn_ring(struct bench *b, struct ring *r)
{
	unsigned again = 0;
	uint32_t head;

	while (ring_used(r, &head, NULL)) {
		b->done++;
		if (b->posted < b->total || !b->sends) {
			ring_avail(r, (uint16_t)head);
			b->posted++;
			again++;
		}
	}
	ring_set_used_event(r, (uint16_t)(r->last_used + RING / 2));
	if (again)
		virtio_kick_queue(b->v, r->index);
}

static void *driver(void *arg)
{
	const struct timespec pause = { .tv_nsec = REFILL_NS };
	struct bench *b = arg;

	for (unsigned i = 0; i < b->pairs; i++)
		virtio_kick_queue(b->v, (b->sends ? b->tx : b->rx)[i].index);
	while (b->done < b->total) {
		for (unsigned i = 0; i < b->pairs; i++)
			turn_ring(b, b->sends ? &b->tx[i] : &b->rx[i]);
		nanosleep(&pause, NULL);
	}
	b->over = true;
	virtio_kick_self(b->v);
	return NULL;
}

/* ---- the machine ---- */

static void kicked(struct watch *w, uint32_t events)
{
	(void)events;
	mmio_kick(container_of(w, struct bench, kick)->v);
}

static int enter(void *ctx, struct err *e)
{
	(void)ctx;
	(void)e;
	return 0;
}

static void ask_pairs(struct bench *b)
{
	gpa_t at = guest_alloc(&b->g, 8, 8);
	struct seg segs[] = { SEG_OUT(at, 4), SEG_IN(GPA(at.v + 4), 1) };
	uint8_t *p = guest_at(&b->g, at, 8);

	memcpy(p, (uint8_t[]){ 4, 0, (uint8_t)b->pairs, 0, 0xff }, 5);
	ring_add(&b->ctrl, segs, 2);
	ring_kick(&b->ctrl);
	must(p[4] == 0, "pairs");
}

static void open_device(struct bench *b)
{
	const struct dev_threads t = { enter, NULL };
	struct dev_conf conf = { .type = DEV_NET };
	struct err e = { 0 };

	guest_init(&b->g);
	pthread_mutex_init(&b->lock, NULL);
	conf.net = (struct net_conf){ .name = "net0",
				      .fd = b->fd[0],
				      .more = { b->fd[1] },
				      .nmore = b->pairs - 1 };
	memcpy(conf.net.mac, our_mac, 6);
	must(loop_init(&b->loop, &b->lock, &e) == 0, "loop");
	b->v = net_create(&conf, &b->g.mem, &b->loop, &e);
	must(b->v && net_start(b->v, &t, &e) == 0, "device");
	b->kick = (struct watch){ .fd = b->v->kick_fd,
				  .name = "kick",
				  .ready = kicked };
	must(loop_add(&b->loop, &b->kick, EPOLLIN, &e) == 0, "kick");
	guest_start(b->v, b->v->offered & (NET_F_MRG_RXBUF | NET_F_CTRL_VQ |
					   NET_F_MQ | VIRTIO_F_EVENT_IDX));
	for (unsigned i = 0; i < b->pairs; i++) {
		ring_init(&b->rx[i], &b->g, b->v, (uint16_t)(2 * i), RING);
		ring_init(&b->tx[i], &b->g, b->v, (uint16_t)(2 * i + 1), RING);
	}
	if (b->pairs > 1)
		ring_init(&b->ctrl, &b->g, b->v, (uint16_t)(2 * b->pairs), 16);
	guest_go(b->v);
	if (b->pairs > 1)
		ask_pairs(b);
}

static uint64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void run(struct bench *b, unsigned total, bool sends)
{
	uint64_t from, us, cpu;
	pthread_t t;

	b->sends = sends;
	b->total = total;
	b->done = b->posted = 0;
	b->over = false;
	for (unsigned i = 0; i < b->pairs; i++)
		fill_ring(b, sends ? &b->tx[i] : &b->rx[i], !sends, i,
			  MIN(RING - 1, total / b->pairs));
	cpu = cpu_us();
	from = now_us();
	must(pthread_create(&t, NULL, driver, b) == 0, "thread");
	while (!b->over)
		must(loop_once(&b->loop, 100) == 0, "loop");
	pthread_join(t, NULL);
	us = MAX(now_us() - from, 1);
	cpu = cpu_us() - cpu;
	if (total < RING)
		return; /* only to tell the tap which flow is whose */
	printf("NETPAIRS %s %u %.0f frames/s, %.2f CPUs\n",
	       sends ? "send" : "receive", b->pairs,
	       (double)b->done * 1e6 / (double)us, (double)cpu / (double)us);
}

static void round_of(unsigned pairs, bool sends)
{
	struct bench *b = calloc(1, sizeof(*b));
	int s[PAIRS_MAX];

	must(b != NULL, "memory");
	b->pairs = pairs;
	open_host(b);
	for (unsigned i = 0; i < PAIRS_MAX; i++)
		s[i] = port_of(i);
	open_device(b);
	if (sends) {
		run(b, SEND, true);
	} else {
		run(b, pairs, true);
		load(s);
		run(b, RECEIVE, false);
	}
	net_destroy(b->v);
	loop_fini(&b->loop);
	guest_fini(&b->g);
	for (unsigned i = 0; i < PAIRS_MAX; i++) {
		close(s[i]);
		if (i < pairs)
			close(b->fd[i]);
	}
	free(b);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init("netpairs", LOG_WARN);
	for (int i = 0; i < rounds; i++)
		for (unsigned pairs = 1; pairs <= PAIRS_MAX; pairs++) {
			round_of(pairs, true);
			round_of(pairs, false);
		}
	return 0;
}
