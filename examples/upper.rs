// SPDX-License-Identifier: MIT
//! upper PORT: answers who connects to that vsock port with what he sends, in upper
//! case. Plain AF_VSOCK, by libc's functions: it knows nothing of vsockshim.
use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::unix::io::FromRawFd;
use std::ptr::null_mut;

const AF_VSOCK: i32 = 40;
const SOCK_STREAM: i32 = 1;
const VMADDR_CID_ANY: u32 = u32::MAX;

#[repr(C)]
#[derive(Default)]
struct SockaddrVm {
    family: u16,
    reserved: u16,
    port: u32,
    cid: u32,
    zero: [u8; 4],
}

extern "C" {
    fn socket(domain: i32, kind: i32, protocol: i32) -> i32;
    fn bind(fd: i32, address: *const SockaddrVm, len: u32) -> i32;
    fn listen(fd: i32, backlog: i32) -> i32;
    fn accept(fd: i32, address: *mut SockaddrVm, len: *mut u32) -> i32;
}

fn checked(result: i32) -> Result<i32> {
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(result)
}

fn serve(mut stream: File) -> Result<()> {
    let mut buf = [0; 4096];
    loop {
        let n = stream.read(&mut buf)?;
        if n == 0 {
            return Ok(());
        }
        buf[..n].make_ascii_uppercase();
        stream.write_all(&buf[..n])?;
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).and_then(|arg| arg.parse().ok());
    let address = SockaddrVm {
        family: AF_VSOCK as u16,
        port: port.unwrap_or(1234),
        cid: VMADDR_CID_ANY,
        ..Default::default()
    };
    let listener = checked(unsafe { socket(AF_VSOCK, SOCK_STREAM, 0) })?;
    checked(unsafe { bind(listener, &address, std::mem::size_of_val(&address) as u32) })?;
    checked(unsafe { listen(listener, 16) })?;
    loop {
        let fd = checked(unsafe { accept(listener, null_mut(), null_mut()) })?;
        serve(unsafe { File::from_raw_fd(fd) })?;
    }
}
