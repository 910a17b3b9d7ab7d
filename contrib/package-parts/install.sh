#!/bin/sh
# usage: ./install.sh [--prefix DIR]   (default /usr/local), as root; --uninstall takes it away again
# Installs this tarball. The tier file and what was written into it are left alone, also by --uninstall.
set -eu
cd "$(dirname "$0")"
prefix=/usr/local
action=install
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=$2 && shift 2 ;;
    --uninstall) action=uninstall && shift ;;
    *) sed -n '2,3s/^# //p' "$0" >&2 && exit 64 ;;
  esac
done

files=$(cd root && find bin share -type f)
if [ $action = uninstall ]; then
  if [ -d /run/systemd/system ]; then systemctl disable --now synaxis.socket synaxis.service || true; fi
  for file in $files; do rm -f "$prefix/$file"; done
  rm -f /etc/systemd/system/synaxis.service /etc/systemd/system/synaxis.socket
  exit 0
fi

if ! missing=$(root/bin/synaxis --version 2>&1); then
  echo "install.sh: the binary does not run here: $missing" >&2
  echo "It needs libcurl, libyaml, OpenSSL 3 and nghttp2: apt install libcurl4 libyaml-0-2 libssl3 libnghttp2-14, dnf install libcurl libyaml openssl-libs libnghttp2, pacman -S curl libyaml openssl libnghttp2" >&2
  exit 1
fi
for file in $files; do
  mode=644
  case $file in bin/*) mode=755 ;; esac
  mkdir -p "$prefix/$(dirname "$file")"
  # Beside, then renamed: the binary may be running.
  cp "root/$file" "$prefix/$file.new" && chmod $mode "$prefix/$file.new" && mv "$prefix/$file.new" "$prefix/$file"
done
if ! getent passwd synaxis >/dev/null; then
  useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin synaxis
fi
mkdir -p /etc/synaxis
if ! [ -e /etc/synaxis/synaxis.yaml ]; then
  cp starter.yaml /etc/synaxis/synaxis.yaml
  chown root:synaxis /etc/synaxis/synaxis.yaml
  chmod 640 /etc/synaxis/synaxis.yaml
fi
if [ -d /etc/systemd/system ] || [ -d /run/systemd/system ]; then
  mkdir -p /etc/systemd/system
  sed "s,/usr/bin/synaxis,$prefix/bin/synaxis," synaxis.service >/etc/systemd/system/synaxis.service
  cp synaxis.socket /etc/systemd/system/synaxis.socket
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
fi
echo "$missing is in $prefix/bin. Write a provider into /etc/synaxis/synaxis.yaml, then:"
echo "  systemctl enable --now synaxis.socket synaxis.service"
