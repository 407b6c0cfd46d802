#!/bin/sh
# Gives a site its own broker user that can write nothing but its own data:
#   add-site.sh COMPANY SITE [AGENT]     asks for the password; AGENT limits it to one agent id (default: all of the site)
# Files: $ACL (default /etc/mosquitto/shopfloor.acl), $PASSWD (default /etc/mosquitto/shopfloor.passwd).
set -eu
acl=${ACL:-/etc/mosquitto/shopfloor.acl}
passwd=${PASSWD:-/etc/mosquitto/shopfloor.passwd}
case $# in 2 | 3) ;; *) echo "usage: add-site.sh COMPANY SITE [AGENT]" >&2; exit 2 ;; esac
for level in "$@"; do
  case $level in
    *[/+#.\ ]* | "") echo "add-site: '$level' must not be empty or hold '/', '+', '#', '.' or a space" >&2; exit 2 ;;
  esac
done
user=$1.$2${3:+.$3}
root=sf/$1/$2/${3:-+}
if grep -qxF "user $user" "$acl"; then
  echo "add-site: $user is in $acl already" >&2
  exit 1
fi
[ -e "$passwd" ] || (umask 077 && : >"$passwd")
mosquitto_passwd "$passwd" "$user"
cat >>"$acl" <<BLOCK

user $user
topic write $root/data
topic readwrite $root/birth
topic read $root/stored
topic read $root/rejected
topic read $root/order
topic write $root/order/answer
topic write $root/shared/+
topic readwrite $root/shared/+/birth
topic read $root/shared/+/stored
topic read $root/shared/+/rejected
BLOCK
echo "add-site: user $user may write below $root; now: systemctl reload mosquitto" >&2
