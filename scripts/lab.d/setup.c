/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void setup_die(const char *fmt, ...)
{
	va_list ap;

	printf("lab: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(": %s\n", strerror(errno));
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void mount_or_die(const char *what, const char *where, const char *type,
			 unsigned long flags, const char *data)
{
	if (mkdir(where, 0755) < 0 && errno != EEXIST)
		setup_die("mkdir %s", where);
	if (mount(what, where, type, flags, data) < 0)
		setup_die("mount %s", where);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		setup_die("write %s", path);
	close(fd);
}

/* /modules has one line per module: its path and parameters. In that order. */
static void load_modules(void)
{
	FILE *list = fopen("/modules", "re");
	char line[512];

	while (list && fgets(line, sizeof(line), list)) {
		char *param;
		int fd;

		line[strcspn(line, "\n")] = 0;
		param = line + strcspn(line, " ");
		if (*param)
			*param++ = 0;
		fd = open(line, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, param, 0) < 0 &&
			       errno != EEXIST))
			setup_die("module %s", line);
		close(fd);
	}
	if (list)
		fclose(list);
}

void setup_devices(void)
{
	mount_or_die("proc", "/proc", "proc", 0, NULL);
	mount_or_die("sysfs", "/sys", "sysfs", 0, NULL);
	if (mount("dev", "/dev", "devtmpfs", MS_NOSUID, "mode=755") < 0 &&
	    errno != EBUSY)
		setup_die("mount /dev");
	load_modules();
}

int setup_port(int nr)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vport0p%d", nr);
	for (int i = 0; i < 10000; i++) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT)
			break;
		usleep(1000);
	}
	if (fd < 0)
		setup_die("open %s", path);
	return fd;
}

/* Directories are given back their names in the upper layer when moved. */
#define OVERLAY                                                                \
	"lowerdir=/lower,upperdir=/up/new,workdir=/up/work,redirect_dir=on"

static void move_to(const char *from, const char *to)
{
	if (mount(from, to, NULL, MS_MOVE, NULL) < 0)
		setup_die("move %s", from);
}

void setup_root(const char *rw)
{
	char path[4200];

	mount_or_die("root", "/lower", "virtiofs", MS_RDONLY | MS_NOATIME,
		     NULL);
	mount_or_die("up", "/up", "tmpfs", 0, "size=75%,mode=755");
	mkdir("/up/new", 0755);
	mkdir("/up/work", 0755);
	mount_or_die("lab", "/new", "overlay", MS_NOATIME, OVERLAY);
	if (*rw) {
		snprintf(path, sizeof(path), "/new%s", rw);
		mount_or_die("rw", path, "virtiofs", 0, NULL);
	}
	move_to("/proc", "/new/proc");
	move_to("/sys", "/new/sys");
	move_to("/dev", "/new/dev");
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		setup_die("change root");
}

/* Nodes whose opening loads the module behind them; there is no udev. */
static void make_nodes(void)
{
	static const struct {
		const char *path;
		unsigned minor;
	} node[] = {
		{ "/dev/net/tun", 200 },   { "/dev/fuse", 229 },
		{ "/dev/kvm", 232 },	   { "/dev/loop-control", 237 },
		{ "/dev/vhost-net", 238 }, { "/dev/vhost-vsock", 241 },
	};

	mkdir("/dev/net", 0755);
	for (size_t i = 0; i < sizeof(node) / sizeof(node[0]); i++) {
		if (mknod(node[i].path, S_IFCHR | 0666,
			  makedev(10, node[i].minor)) < 0 &&
		    errno != EEXIST)
			setup_die("mknod %s", node[i].path);
		chmod(node[i].path, 0666);
	}
	if (symlink("/proc/self/fd", "/dev/fd") < 0 ||
	    symlink("/proc/self/fd/0", "/dev/stdin") < 0 ||
	    symlink("/proc/self/fd/1", "/dev/stdout") < 0 ||
	    symlink("/proc/self/fd/2", "/dev/stderr") < 0 ||
	    (unlink("/dev/ptmx"), symlink("pts/ptmx", "/dev/ptmx")) < 0)
		setup_die("links in /dev");
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		setup_die("loopback");
	close(fd);
}

/* The last part of the modules' directory is the kernel's release: modprobe,
 * which the kernel calls for what is missing, looks in /lib/modules/RELEASE. */
static void link_modules(const char *modules)
{
	char path[512];
	const char *release = strrchr(modules, '/');

	if (!release)
		return;
	snprintf(path, sizeof(path), "/lib/modules%s", release);
	mkdir("/lib/modules", 0755);
	if (symlink(modules, path) < 0 && errno != EEXIST)
		setup_die("link %s", path);
}

/* What a kernel does with its first and without its last VM, vCPU or limited
 * group is to rewrite its own code, under the feet of the other CPUs. QEMU may
 * go on with the old translation of such a place, and the CPU is caught there
 * for good. So there is always one of each; the descriptors stay open. */
static void hold_vm(int kvm, int irqchip)
{
	struct kvm_sregs s;
	int vm = ioctl(kvm, KVM_CREATE_VM, 0), cpu;

	if (vm < 0 || (irqchip && ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0))
		setup_die("VM");
	fcntl(vm, F_SETFD, FD_CLOEXEC);
	cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (cpu < 0 || ioctl(cpu, KVM_GET_SREGS, &s) < 0)
		setup_die("vCPU");
	fcntl(cpu, F_SETFD, FD_CLOEXEC);
	s.apic_base &= ~(1ull << 11); /* its APIC is off */
	if (irqchip && ioctl(cpu, KVM_SET_SREGS, &s) < 0)
		setup_die("vCPU");
}

static void hold_code_still(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		setup_die("/dev/kvm");
	hold_vm(kvm, 0);
	hold_vm(kvm, 1);
	if (mkdir("/sys/fs/cgroup/lab", 0755) < 0)
		setup_die("cgroup");
	write_file("/sys/fs/cgroup/lab/cpu.max", "100000 100000");
}

void setup_system(const char *modules)
{
	const struct rlimit files = { 1024, 1024 * 1024 };

	mount_or_die("pts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		     "gid=5,mode=620,ptmxmode=666");
	mount_or_die("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, NULL);
	mount_or_die("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
	mount_or_die("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	mount_or_die("cgroup", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	write_file("/sys/fs/cgroup/cgroup.subtree_control",
		   "+cpuset +cpu +io +memory +pids");
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "always");
	mkdir("/run/lock", 01777);
	link_modules(modules);
	make_nodes();
	hold_code_still();
	loopback_up();
	sethostname("lab", 3);
	setrlimit(RLIMIT_NOFILE, &files);
}
