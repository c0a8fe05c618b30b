/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/jail.h"

#include "jail/caps.h"
#include "jail/ids.h"
#include "jail/ns.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* jail_enter() - before a byte of the guest is looked at.
 *
 * The order is what each step needs of the one before: /proc for the id maps,
 * capabilities for mounts, CAP_SETPCAP for the bounding set, a uid for
 * nothing. */
int jail_enter(struct err *e)
{
	unsigned uid = geteuid(), gid = getegid();
	bool map = ids_choose() == IDS_MAP;
	int r;

	if ((r = ns_unshare(map, e)) < 0 ||
	    (map && (r = ids_map(uid, gid, e)) < 0) ||
	    (r = ns_empty_root(e)) < 0 || (r = caps_bound(e)) < 0 ||
	    (!map && (r = ids_become(e)) < 0) || (r = caps_drop(e)) < 0) {
		err_wrap(e, "jail");
		return r;
	}
	/* Becoming somebody else has cleared what the launcher asked for. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "jail: parent-death signal");
	return 0;
}
