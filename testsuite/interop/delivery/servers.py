"""The peers of `check`: Postfix, Dovecot and Dante with configurations of their own, below one directory."""
import glob, os, sys, time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import postfix  # noqa: E402  (the path comes first)


def text_of(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def until(true, seconds=15):
    limit = time.time() + seconds
    while not true() and time.time() < limit:
        time.sleep(0.1)
    return true()


class Postfix(postfix.Postfix):
    """At 127.0.0.20:25; domain postfix.ex: maildirs of `good`, `two`, `δοκιμή` and `sender`."""

    def __init__(self, directory):
        super().__init__(directory, f"""myhostname = mx.postfix.ex
mydestination =
virtual_mailbox_domains = postfix.ex
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = texthash:{directory}/etc/boxes
virtual_uid_maps = static:1500
virtual_gid_maps = static:1500
virtual_minimum_uid = 100
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.20
smtputf8_enable = yes
message_size_limit = 100000
smtpd_peername_lookup = no
""", "127.0.0.20:25 inet n - n - - smtpd\nvirtual unix - n n - - virtual\n")
        os.makedirs(directory + "/mail")
        os.chown(directory + "/mail", 1500, 1500)
        self._write("etc/boxes", "".join(f"{u}@postfix.ex {u}/\n" for u in ("good", "two", "δοκιμή", "sender")))

    def mail(self, user, count=1):
        """What has come for a user, when there are so many."""
        found = lambda: sorted(glob.glob(f"{self.dir}/mail/{user}/new/*"), key=os.path.getmtime)
        until(lambda: len(found()) >= count)
        return [open(p, "rb").read() for p in found()]


class Dovecot:
    """LMTP at 127.0.0.30:24 and at `lmtp`, IMAP at 127.0.0.30:143. The maildir of each is below `home`; `reader` has ours."""

    def __init__(self, directory, reader):
        self.dir, self.lmtp = directory, directory + "/run/lmtp"
        os.makedirs(directory + "/home")
        os.chown(directory + "/home", 1500, 1500)
        with open(directory + "/users", "w") as f:
            for u in ("good", "two", "siever"):
                f.write(f"{u}:{{PLAIN}}pw:1500:1500::{directory}/home/{u}::\n")
            f.write(f"reader:{{PLAIN}}pw:1500:1500::{reader}::userdb_mail=maildir:{reader}/Maildir\n")
        with open(directory + "/conf", "w") as f:
            f.write(f"""base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
protocols = imap lmtp
listen = 127.0.0.30
ssl = no
disable_plaintext_auth = no
auth_username_format = %Ln
first_valid_uid = 100
mail_location = maildir:~/Maildir
postmaster_address = postmaster@dovecot.ex
mail_fsync = never
default_internal_user = dovecot
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
userdb {{
  driver = passwd-file
  args = {directory}/users
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.30
    port = 24
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 143
  }}
  inet_listener imaps {{
    port = 0
  }}
  chroot =
}}
service stats {{
  chroot =
}}
service anvil {{
  chroot =
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:~/script.sieve
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
""")

    def command(self):
        return ["dovecot", "-F", "-c", self.dir + "/conf"]


def dante(directory, name, port, method, outside):
    """One SOCKS server at 127.0.0.40, whose connections come from `outside`; gives its command."""
    with open(f"{directory}/{name}.conf", "w") as f:
        f.write(f"""logoutput: {directory}/{name}.log
internal: 127.0.0.40 port = {port}
external: {outside}
clientmethod: none
socksmethod: {method}
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks block {{ from: 127.0.0.0/8 to: 127.0.0.66/32 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 log: connect }}
""")
    return ["danted", "-f", f"{directory}/{name}.conf", "-p", f"{directory}/{name}.pid"]
