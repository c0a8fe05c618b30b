# SPDX-License-Identifier: Apache-2.0
#
# debian.sh - root file systems made of Debian 12's packages; sourced by oci.
#
# shellcheck shell=bash disable=SC2154 # here, name and say are the sourcing one's

# What an image has no use for, and what would make two of them different:
# mmdebstrap removes logs, caches and the machine's ID itself.
debian_drop=(
	--dpkgopt='path-exclude=/usr/share/doc/*'
	--dpkgopt='path-include=/usr/share/doc/*/copyright'
	--dpkgopt='path-exclude=/usr/share/man/*'
	--dpkgopt='path-exclude=/usr/share/info/*'
	--dpkgopt='path-exclude=/usr/share/locale/*'
)

# debian_tar WORK TAR PACKAGES [OPTION...]: a tar archive of Debian's minimal
# system and PACKAGES (with commas), and WORK/NAME.packages. Without root by
# user namespaces. The mirror is this machine's; the image names Debian's own.
debian_tar()
{
	local work=$1 tar=$2 packages=$3 apt=$here/../../scripts/apt-private line
	shift 3
	"$apt" true
	sed -n '/^deb /p' \
		"${VIAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vial}"/apt/sources.list \
		>"$work/sources.list"
	cat >"$work/sources" <<-'END'
		Types: deb
		URIs: http://deb.debian.org/debian
		Suites: bookworm bookworm-updates
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

		Types: deb
		URIs: http://deb.debian.org/debian-security
		Suites: bookworm-security
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
	printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' \
		>"$work/hosts"
	say "installing Debian packages with mmdebstrap (a minute or two)"
	# shellcheck disable=SC2016 # $1 is mmdebstrap's
	mmdebstrap --variant=minbase --format=tar --include="$packages" \
		"${debian_drop[@]}" "$@" \
		--customize-hook='cd "$1"/etc/apt &&
			rm -f sources.list sources.list.d/*' \
		--customize-hook='cd "$1"/var && rm -rf cache/* log/*.log \
			log/apt/* lib/dpkg/*-old' \
		--customize-hook=": >\"\$1\"/etc/resolv.conf" \
		--customize-hook='echo localhost >"$1"/etc/hostname' \
		--customize-hook="upload $work/sources \
/etc/apt/sources.list.d/debian.sources" \
		--customize-hook="upload $work/hosts /etc/hosts" \
		--customize-hook="download /var/lib/dpkg/status $work/status" \
		bookworm "$tar" "$work/sources.list" 2>&1 |
		while read -r line; do
			case $line in
			I:*|E:*|W:*|*rror*) say "${line#I: }" ;;
			esac
		done
	awk '/^Package:/ { p = $2 } /^Version:/ { print p, $2 }' \
		"$work/status" >"$work/$name.packages"
}
