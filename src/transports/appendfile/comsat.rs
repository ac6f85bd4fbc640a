//! `notify_comsat`: tells the comsat daemon of this host where new mail begins in a mailbox (manual section 26.2).

use std::net::{Ipv4Addr, UdpSocket};

/// The port of `biff` (udp) in the register of services.
const PORT: u16 = 512;

/// Sends `user@offset`. There may be no such daemon, which is nobody's trouble.
pub(super) fn notify(user: &[u8], offset: u64) {
    let datagram = [user, format!("@{offset}\n\0").as_bytes()].concat();
    if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
        let _ = socket.send_to(&datagram, (Ipv4Addr::LOCALHOST, PORT));
    }
}
