# SPDX-License-Identifier: Apache-2.0
#
# make demo     a real CI job in a VM, from nothing
# make test     everything that is tested
# make help     the other targets
#
# Objects live below $(B), one folder for each flavour:
#   rel   vial, vial-vmm: -O2, hardened       agent  static, small
#   san   unit tests: ASan and UBSan          fuzz   clang, libFuzzer
# Each flavour makes the same archives: libbase libproto libjail libmon
# libfront libfetch libnet libagent libunpack. main.c of a program is in none of them.

# A link is as new as it is itself: what it leads to is in the cache, older.
MAKEFLAGS += --check-symlink-times

B    ?= build
ARCH ?= $(shell uname -m)
PREFIX ?= /usr/local
V    ?= 0
Q     = $(if $(filter 0,$(V)),@)
say   = $(if $(filter 0,$(V)),@printf '  %-7s %s\n' '$(1)' '$(2)')

VERSION := 0.1.0
# What images and docker's programs call it.
OCI_ARCH_x86_64  := amd64
OCI_ARCH_aarch64 := arm64
# And the kernel, in filters of system calls.
AUDIT_ARCH_x86_64  := AUDIT_ARCH_X86_64
AUDIT_ARCH_aarch64 := AUDIT_ARCH_AARCH64
WERROR  ?= $(if $(CI),-Werror)

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-Wimplicit-fallthrough -Wvla -Wpointer-arith -Wcast-qual -Wundef
HARD := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fcf-protection \
	-fstack-clash-protection
INC  := -I. -Ivmm -Ivmm/monitor -Ivmm/front -I$(B)/gen -isystem /usr/include/libnl3
COMMON := -std=gnu11 -g -D_GNU_SOURCE -DVIAL_VERSION='"$(VERSION)"' \
	-DVIAL_OCI_ARCH='"$(OCI_ARCH_$(ARCH))"' \
	-DVIAL_AUDIT_ARCH=$(AUDIT_ARCH_$(ARCH)) $(WARN) $(WERROR) $(INC)

# ---- flavours -------------------------------------------------------------

rel_CC     := gcc
rel_CFLAGS := $(COMMON) -O2 $(HARD) -fPIE
agent_CC     := gcc
agent_CFLAGS := $(COMMON) -Os -ffunction-sections -fdata-sections \
	-fstack-protector-strong
san_CC     := gcc
san_CFLAGS := $(COMMON) -O1 -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all -DVIAL_TEST
fuzz_CC     := clang
fuzz_CFLAGS := $(COMMON) -O1 -g -fno-omit-frame-pointer -DVIAL_FUZZ \
	-fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -Wno-gnu-variable-sized-type-not-at-end

# ---- sources --------------------------------------------------------------

PROTOS := $(wildcard proto/*.proto)
GEN_C  := $(PROTOS:%.proto=$(B)/gen/%.pb-c.c)
GEN_H  := $(GEN_C:.c=.h)
BPF_H  := $(B)/gen/jail/tables.h

base_SRC  := $(wildcard vmm/base/*.c)
proto_SRC := $(wildcard proto/*.c)
jail_SRC  := $(wildcard vmm/jail/*.c)
arch_DIR  := vmm/monitor/arch/$(ARCH)
mon_SRC   := $(filter-out vmm/monitor/main.c, $(wildcard vmm/monitor/*.c \
	vmm/monitor/mem/*.c vmm/monitor/virtio/*.c vmm/monitor/dev/*.c \
	vmm/monitor/kvm/*.c vmm/monitor/machine/*.c $(arch_DIR)/*.c))
fetch_SRC := $(filter-out vmm/front/fetch/main.c, $(wildcard vmm/front/fetch/*.c))
net_SRC   := $(filter-out vmm/front/net/main.c, $(wildcard vmm/front/net/*.c))
front_SRC := $(filter-out vmm/front/cli/main.c vmm/front/fetch/% \
	vmm/front/net/%, \
	$(wildcard vmm/front/*/*.c)) vmm/front/net/ip.c vmm/front/net/policy.c
agent_SRC := $(filter-out agent/main.c, $(wildcard agent/*.c \
	agent/arch/$(ARCH)/*.c))
unpack_SRC := $(filter-out agent/unpack/main.c, $(wildcard agent/unpack/*.c))

LIBS := base proto jail mon front fetch net agent unpack

# $(call objs,flavour,sources)
objs = $(patsubst %.c,$(B)/$(1)/%.o,$(2))

.SECONDARY:
.PHONY: all setup demo test check bench fuzz clean install help
all: $(B)/vial $(B)/vial-vmm $(B)/vial-fetch $(B)/vial-netd $(B)/vial-agent \
	$(B)/initramfs.cpio $(B)/builder.cpio $(B)/vmlinux

define FLAVOUR
$(B)/$(1)/%.o: %.c | $(GEN_H)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$$($(1)_CC) $$($(1)_CFLAGS) $$(CFLAGS_EXTRA) -MMD -MP -c $$< -o $$@
$(B)/$(1)/gen/%.o: $(B)/gen/%.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$$($(1)_CC) $$($(1)_CFLAGS) -Wno-all -Wno-extra -Wno-cast-qual \
		-Wno-shadow -MMD -MP -c $$< -o $$@
$(foreach l,$(LIBS),$(B)/$(1)/lib$(l).a: $$(call objs,$(1),$$($(l)_SRC))
)
$(B)/$(1)/libproto.a: $(patsubst $(B)/gen/%.c,$(B)/$(1)/gen/%.o,$(GEN_C))
$(B)/$(1)/lib%.a:
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,rel agent san fuzz,$(eval $(call FLAVOUR,$(f))))

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h &: %.proto
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$(Q)protoc-c --c_out=$(B)/gen $<
	$(Q)sed -i 's/(char \*)protobuf_c_empty/(char *)(uintptr_t)protobuf_c_empty/g' \
		$(B)/gen/$*.pb-c.h	# -Wcast-qual

# System-call tables: BPF made at build time (vmm/jail/seccomp/).
$(B)/jail-tables: $(wildcard vmm/jail/seccomp/*.c) vmm/jail/jail.h
	@mkdir -p $(@D)
	$(call say,HOSTCC,$@)
	$(Q)gcc $(COMMON) -O1 $(wildcard vmm/jail/seccomp/*.c) -o $@ -lseccomp
$(BPF_H): $(B)/jail-tables
	@mkdir -p $(@D)
	$(Q)$< > $@.tmp && mv $@.tmp $@

$(foreach f,rel san fuzz,$(B)/$(f)/vmm/jail/seccomp.o): $(BPF_H)

# ---- programs -------------------------------------------------------------

FRONT_LIBS := -lprotobuf-c -ljansson -larchive -lacl -lcap-ng -lcrypto \
	-lbz2 -llzma -lz -lzstd
FETCH_LIBS := -lcurl -ljansson -larchive -lcrypto -Wl,-Bstatic -lseccomp \
	-Wl,-Bdynamic -lpthread
NET_LIBS   := -lprotobuf-c -lnftables -lnl-route-3 -lnl-nf-3 -lnl-3 -lseccomp
VMM_LIBS   := -lprotobuf-c -lfdt -luring -lcap-ng
AGENT_LIBS := -larchive -lacl -lprotobuf-c -lnl-3
UNPACK_LIBS := -larchive -lacl -lz -lzstd -lnettle

$(B)/vial: $(B)/rel/vmm/front/cli/main.o $(B)/rel/libfront.a \
		$(B)/rel/libjail.a $(B)/rel/libproto.a $(B)/rel/libbase.a
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -static-pie -Wl,-z,relro,-z,now \
		-Wl,--gc-sections -o $@ $^ $(FRONT_LIBS)

# Two with shared libraries: Debian's libcurl and libnftables have no other kind.
$(B)/vial-fetch: $(B)/rel/vmm/front/fetch/main.o $(B)/rel/libfetch.a \
		$(B)/rel/libfront.a $(B)/rel/libbase.a
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -pie -Wl,-z,relro,-z,now \
		-Wl,--gc-sections -o $@ $^ $(FETCH_LIBS)

$(B)/vial-netd: $(B)/rel/vmm/front/net/main.o $(B)/rel/libnet.a \
		$(B)/rel/libjail.a $(B)/rel/libproto.a $(B)/rel/libbase.a
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -pie -Wl,-z,relro,-z,now \
		-Wl,--gc-sections -o $@ $^ $(NET_LIBS)

$(B)/vial-vmm: $(B)/rel/vmm/monitor/main.o $(B)/rel/libmon.a \
		$(B)/rel/libjail.a $(B)/rel/libproto.a $(B)/rel/libbase.a
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -static-pie -Wl,-z,relro,-z,now \
		-Wl,--gc-sections -o $@ $^ $(VMM_LIBS)

agent_OBJ := $(addprefix $(B)/agent/, agent/main.o agent/static/unused.o \
	libagent.a libproto.a libbase.a)
$(B)/vial-agent: $(agent_OBJ) agent/static/small.ld
	$(call say,LD,$@)
	$(Q)$(agent_CC) $(agent_CFLAGS) -static -Wl,--gc-sections \
		-Wl,-T,agent/static/small.ld -o $@.dbg $(agent_OBJ) \
		$(AGENT_LIBS)
	$(Q)strip -o $@ $@.dbg

# The kernel's built-in initramfs has /dev/console; ours needs /init alone.
$(B)/initramfs.cpio: $(B)/vial-agent
	$(call say,CPIO,$@)
	$(Q)rm -rf $(B)/initramfs.d && mkdir -p $(B)/initramfs.d && \
		cp $< $(B)/initramfs.d/init && touch -d @0 $(B)/initramfs.d/init && \
		cd $(B)/initramfs.d && echo init | \
		cpio -o -H newc -R 0:0 --reproducible --quiet > ../initramfs.cpio

# The builder of images has its own, so that the usual one stays small.
unpack_OBJ := $(addprefix $(B)/rel/, agent/unpack/main.o libunpack.a libbase.a)
$(B)/vial-unpack: $(unpack_OBJ)
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -static-pie -Wl,-z,relro,-z,now \
		-Wl,--gc-sections -o $@ $(unpack_OBJ) $(UNPACK_LIBS)
	$(Q)strip $@
$(B)/builder.cpio: $(B)/vial-agent $(B)/vial-unpack
	$(call say,CPIO,$@)
	$(Q)rm -rf $(B)/builder.d && mkdir -p $(B)/builder.d && \
		cp $(B)/vial-agent $(B)/builder.d/init && \
		cp $(B)/vial-unpack $(B)/builder.d/vial-unpack && \
		touch -d @0 $(B)/builder.d/* && \
		cd $(B)/builder.d && printf '%s\n' init vial-unpack | \
		cpio -o -H newc -R 0:0 --reproducible --quiet > ../builder.cpio

# Built once for its inputs, outside of the tree (rootfs/kernel/build).
$(B)/vmlinux: $(wildcard rootfs/kernel/build rootfs/kernel/config/* \
		rootfs/kernel/patches/*) scripts/packages
	@mkdir -p $(@D)
	$(Q)k=$$(rootfs/kernel/build | tail -n 1) && ln -sfn "$$k" $@ && \
		touch -h $@

# The images that come with vial (rootfs/images/NAME.image): NAME-TAG.oci.tar,
# where vmm/front/builder/shipped.c looks for "vial/NAME:TAG".
IMAGES := debian-12 busybox-latest buildah-latest
.PHONY: images
images: $(IMAGES:%=$(B)/images/%.oci.tar)
$(B)/images/%.oci.tar: rootfs/images/oci rootfs/images/debian.sh \
		$(wildcard rootfs/images/*.image)
	@mkdir -p $(@D)
	$(Q)i=$$(rootfs/images/oci $(firstword $(subst -, ,$*))) && \
		ln -sfn "$$i" $@ && touch -h $@

# Debian packages that are missing; nothing when none is.
setup:
	$(Q)scripts/setup

demo: setup
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/demo $(B)

bench: setup
	$(Q)$(MAKE) --no-print-directory all bench-bins
	$(Q)scripts/bench $(B)

# ---- tests ----------------------------------------------------------------

# An arch folder holds the tests of one CPU: ours, or they are not for us.
UNIT_SRC := $(shell find tests/unit -name '*_test.c' \( ! -path '*/arch/*' \
	-o -path '*/arch/$(ARCH)/*' \) 2>/dev/null)
UNIT_BIN := $(UNIT_SRC:%.c=$(B)/san/%)
TEST_LIBS := -lcmocka $(FRONT_LIBS) $(UNPACK_LIBS) -Wl,--as-needed -lcurl -lseccomp -lfdt -luring \
	-lnftables -lnl-route-3 -lnl-nf-3 -lnl-3 -lpthread

# Helpers shared by tests (tests/guest: a driver in plain memory).
guest_SRC := $(wildcard tests/guest/*.c)
san_ALL := $(LIBS:%=$(B)/san/lib%.a)
$(UNIT_BIN): $(B)/san/%: $(B)/san/%.o $(san_ALL) $(call objs,san,$(guest_SRC))
	$(call say,LD,$@)
	$(Q)$(san_CC) $(san_CFLAGS) -o $@ $< $(call objs,san,$(guest_SRC)) \
		-Wl,--start-group $(san_ALL) -Wl,--end-group $(TEST_LIBS)

# Linked and run as vial-vmm is; print TAP themselves.
PLAIN_SRC := $(shell find tests/unit -name '*_plain.c' 2>/dev/null)
PLAIN_BIN := $(PLAIN_SRC:%.c=$(B)/rel/%)
$(PLAIN_BIN): $(B)/rel/%: $(B)/rel/%.o $(B)/rel/libjail.a $(B)/rel/libbase.a
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -static-pie -o $@ $^ -lm

FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
fuzz_ALL := $(LIBS:%=$(B)/fuzz/lib%.a)
$(FUZZ_BIN): $(B)/fuzz/%: $(B)/fuzz/tests/fuzz/%.o $(fuzz_ALL) \
		$(call objs,fuzz,$(guest_SRC))
	$(call say,LD,$@)
	$(Q)$(fuzz_CC) $(fuzz_CFLAGS) -fsanitize=fuzzer -o $@ $< \
		$(call objs,fuzz,$(guest_SRC)) \
		-Wl,--start-group $(fuzz_ALL) -Wl,--end-group $(TEST_LIBS)

.PHONY: unit fuzz-bins gen print-cflags check
unit: $(UNIT_BIN) $(PLAIN_BIN)
fuzz-bins: $(FUZZ_BIN)

# For scripts: the generated headers, and the flags quoted for eval.
gen: $(GEN_H) $(BPF_H)
print-cflags:
	@printf '%s\n' '$(subst ','\'',$(COMMON))'

# Everything that is tested; the last line is the count. On all CPUs, also
# when nobody says so.
test: setup
	$(Q)$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$$(nproc)) \
		all unit fuzz-bins e2e-bins
	$(Q)B=$(B) scripts/test
check: setup
	$(Q)B=$(B) scripts/check
# Ten minutes for each fuzzer; FUZZ_SECONDS=n for another time.
fuzz: setup
	$(Q)$(MAKE) --no-print-directory fuzz-bins
	$(Q)B=$(B) scripts/fuzz $(or $(FUZZ_SECONDS),600)

# ---- benchmarks -----------------------------------------------------------

# Static, so that the same file runs here, in the lab and in a guest.
BENCH_BIN := $(addprefix $(B)/bench/,blk coldstart connect execrate flow hello \
	netsetup spawn stream tree usage)
.PHONY: bench-bins
bench-bins: $(BENCH_BIN) $(B)/e2e/egress
$(BENCH_BIN): $(B)/bench/%: $(B)/rel/tests/bench/%.o \
		$(B)/rel/tests/bench/proc.o $(B)/rel/libproto.a \
		$(B)/rel/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -static-pie -Wl,--gc-sections -o $@ $^ \
		-lprotobuf-c -lpthread

# Of the monitor's own parts, with the driver that tests have.
NETPAIRS := $(B)/bench/netpairs
bench-bins: $(NETPAIRS)
$(NETPAIRS): $(B)/rel/tests/bench/netpairs.o $(call objs,rel,$(guest_SRC)) \
		$(B)/rel/libmon.a $(B)/rel/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -static-pie -Wl,--gc-sections -o $@ $^ \
		-lpthread

# ---- end to end -----------------------------------------------------------

# What tests/e2e needs besides the programs: helpers for both sides, images,
# and the demo's input, all below $(B)/e2e.
E := $(B)/e2e
.PHONY: e2e-bins
e2e-bins: all $(B)/images/busybox-latest.oci.tar \
		$(B)/images/buildah-latest.oci.tar \
		$(addprefix $(E)/,tool term toy builder egress fake.cpio test.ext4 same \
	debian-gcc.ext4 debian-net.ext4 bzip2)

$(E)/tool: $(B)/agent/tests/e2e/prog/left.o $(B)/agent/tests/e2e/prog/sock.o \
	$(B)/agent/tests/e2e/prog/udp.o
$(E)/tool $(E)/term: $(E)/%: $(B)/agent/tests/e2e/prog/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(agent_CC) $(agent_CFLAGS) -static -o $@ $^

# Lists a tree, and images of other people's tools that hold it.
$(E)/tree: $(B)/agent/tests/e2e/prog/tree.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(agent_CC) $(agent_CFLAGS) -static -o $@ $^ -lnettle && strip $@
$(E)/same: $(E)/tree tests/e2e/prog/same-images
	$(call say,IMAGES,$@)
	$(Q)tests/e2e/prog/same-images $(E)/tree $@

# The policy of a box, without a box.
$(E)/egress: $(B)/rel/tests/e2e/prog/egress.o $(B)/rel/libnet.a \
		$(B)/rel/libjail.a $(B)/rel/libproto.a $(B)/rel/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -pie -Wl,--gc-sections -o $@ $^ $(NET_LIBS)

# The builder of images, without images.
$(E)/builder: $(B)/rel/tests/e2e/prog/builder.o $(B)/rel/libfront.a \
		$(B)/rel/libjail.a $(B)/rel/libproto.a $(B)/rel/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(rel_CC) $(rel_CFLAGS) -static-pie -Wl,--gc-sections -o $@ $^ \
		$(FRONT_LIBS)

# A kernel: no library, no red zone, no vector registers.
$(E)/toy: tests/e2e/prog/toy.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)gcc -std=gnu11 -O2 $(WARN) -ffreestanding -fno-stack-protector \
		-fcf-protection=none -fno-pie -mno-red-zone \
		-mgeneral-regs-only -nostdlib -static -no-pie \
		-Wl,-Ttext=0x1000000,-e,start,--build-id=none -o $@ $<

# An agent that breaks the rules.
$(E)/fake: $(B)/agent/tests/e2e/prog/fake.o $(B)/agent/libproto.a \
		$(B)/agent/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(agent_CC) $(agent_CFLAGS) -static -Wl,--gc-sections -o $@ $^ \
		-lprotobuf-c
$(E)/fake.cpio: $(E)/fake
	$(Q)rm -rf $(E)/fake.dir && mkdir -p $(E)/fake.dir && \
		cp $< $(E)/fake.dir/init && cd $(E)/fake.dir && echo init | \
		cpio -o -H newc -R 0:0 --quiet > ../fake.cpio

# The tiny image with the tool in it.
$(E)/test.ext4: $(E)/tool $(wildcard rootfs/images/build \
		rootfs/images/tiny.recipe)
	@mkdir -p $(@D)
	$(call say,IMAGE,$@)
	$(Q)i=$$(rootfs/images/build tiny | tail -n 1) && \
		cp --sparse=always "$$i" $@.tmp && chmod u+w $@.tmp && \
		printf '%s\n' 'write $< /bin/tool' \
			'sif /bin/tool mode 0100755' \
			'sif /bin/tool uid 0' 'sif /bin/tool gid 0' | \
		/sbin/debugfs -w $@.tmp >/dev/null 2>&1 && mv $@.tmp $@
$(E)/debian-%.ext4: $(wildcard rootfs/images/build \
		rootfs/images/debian-*.recipe)
	@mkdir -p $(@D)
	$(Q)i=$$(rootfs/images/build debian-$* | tail -n 1) && ln -sfn "$$i" $@ && \
		touch -h $@
$(E)/bzip2: rootfs/images/bzip2-source
	@mkdir -p $(@D)
	$(Q)d=$$($< | tail -n 1) && ln -sfn "$$d" $@ && touch -h $@

# ---- installing -----------------------------------------------------------

# Where vmm/front/box/where.c looks for the parts: lib/vial beside bin.
DEST  := $(DESTDIR)$(PREFIX)
PARTS := vial-vmm vial-fetch vial-netd initramfs.cpio builder.cpio vmlinux
MAN1  := $(wildcard vmm/man/*.1)
MAN5  := $(wildcard vmm/man/*.5)
MAN8  := $(wildcard vmm/man/*.8)
.PHONY: uninstall
# Builds nothing: root's cache has no kernel, and would get one of its own.
install:
	@for f in vial $(PARTS); do test -e $(B)/$$f || \
		{ echo "$(B)/$$f is not built: run make first" >&2; exit 1; }; \
	done
	install -d $(DEST)/bin $(DEST)/lib/vial $(DEST)/share/man/man1 \
		$(DEST)/share/man/man5 $(DEST)/share/man/man8
	install -m 755 $(B)/vial $(DEST)/bin/vial
	install -m 755 $(B)/vial-vmm $(B)/vial-fetch $(B)/vial-netd \
		$(DEST)/lib/vial
	install -m 644 $(B)/initramfs.cpio $(B)/builder.cpio $(B)/vmlinux \
		$(DEST)/lib/vial
	install -d $(DEST)/lib/vial/images
	for i in $(wildcard $(B)/images/*.oci.tar); do \
		install -m 644 $$i $(DEST)/lib/vial/images || exit 1; done
	$(if $(MAN1),install -m 644 $(MAN1) $(DEST)/share/man/man1)
	$(if $(MAN5),install -m 644 $(MAN5) $(DEST)/share/man/man5)
	$(if $(MAN8),install -m 644 $(MAN8) $(DEST)/share/man/man8)
uninstall:
	rm -f $(DEST)/bin/vial $(PARTS:%=$(DEST)/lib/vial/%) \
		$(MAN1:vmm/man/%=$(DEST)/share/man/man1/%) \
		$(MAN5:vmm/man/%=$(DEST)/share/man/man5/%) \
		$(MAN8:vmm/man/%=$(DEST)/share/man/man8/%)
	rm -f $(IMAGES:%=$(DEST)/lib/vial/images/%.oci.tar)
	-rmdir $(DEST)/lib/vial/images $(DEST)/lib/vial

clean:
	rm -rf $(B)

help:
	@sed -n '2,6p' Makefile | cut -c3-

-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
