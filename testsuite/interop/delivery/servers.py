"""The peers of `check`: Postfix, Dovecot and Dante with configurations of their own, below one directory."""
import glob, os, pwd, subprocess, time

MASTER = """127.0.0.20:25 inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


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


class Postfix:
    """At 127.0.0.20:25; domain postfix.ex: maildirs of `good`, `two`, `δοκιμή` and `sender`."""

    def __init__(self, directory):
        self.dir = directory
        for d in ("etc", "data", "queue", "mail"):
            os.makedirs(f"{directory}/{d}")
        uid = pwd.getpwnam("postfix").pw_uid
        os.chown(directory + "/data", uid, -1)
        os.chown(directory + "/mail", 1500, 1500)
        files = {"master.cf": MASTER, "dynamicmaps.cf": "", "boxes": "".join(f"{u}@postfix.ex {u}/\n" for u in
                 ("good", "two", "δοκιμή", "sender")), "main.cf": f"""compatibility_level = 3.6
myhostname = mx.postfix.ex
mydestination =
alias_maps =
virtual_mailbox_domains = postfix.ex
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = texthash:{directory}/etc/boxes
virtual_uid_maps = static:1500
virtual_gid_maps = static:1500
virtual_minimum_uid = 100
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.20
inet_protocols = ipv4
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/maillog
maillog_file_prefixes = {directory}
smtputf8_enable = yes
message_size_limit = 100000
smtpd_peername_lookup = no
"""}
        for name, text in files.items():
            with open(f"{directory}/etc/{name}", "w") as f:
                f.write(text)

    def start(self):
        p = subprocess.run(["postfix", "-c", self.dir + "/etc", "start"], capture_output=True, text=True)
        assert p.returncode == 0, p.stdout + p.stderr + text_of(self.dir + "/maillog")

    def stop(self):
        subprocess.run(["postfix", "-c", self.dir + "/etc", "stop"], capture_output=True)

    def log(self):
        return text_of(self.dir + "/maillog")

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
