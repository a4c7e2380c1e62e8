// SPDX-License-Identifier: BSD-2-Clause
//! The child's way into a fresh network stack, and into its credentials.

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;

use nlproof_agent::Privilege;

use crate::sys::{Errno, process};

/// Longer than any vector looks.
#[cfg(feature = "freebsd")]
const DAD_COUNT: i32 = 600;

/// "nobody" and its group on both systems.
const NOBODY: u32 = 65534;

/// The name of a child's jail: the agent's process id and the place of the program in its batch. Without a
/// dot, which would name a child of another jail (jail(8)).
fn jail_name(agent: process::Pid, index: usize) -> CString {
    // Neither number can hold a NUL.
    CString::new(format!("nlproof{agent}_{index}")).unwrap_or_default()
}

/// The name of a jail that was made beforehand.
#[cfg(feature = "freebsd")]
fn waiting_name(number: u32) -> CString {
    CString::new(format!("nlproof_waiting_{number}")).unwrap_or_default()
}

/// The jail of one program.
pub(crate) enum Jail {
    /// To be made.
    Fresh(CString),
    /// Made beforehand and entered by nobody yet.
    #[cfg(feature = "freebsd")]
    Waiting(CString),
}

impl Jail {
    /// Its name; on Linux nothing but a name.
    pub(crate) fn name(&self) -> &core::ffi::CStr {
        match self {
            Self::Fresh(name) => name,
            #[cfg(feature = "freebsd")]
            Self::Waiting(name) => name,
        }
    }
}

/// Network stacks that were made beforehand. Each is taken once: nobody could prove that one in which a program
/// has run is as it was.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "freebsd"), expect(dead_code, reason = "a namespace without a process cannot wait"))]
pub(crate) struct Stacks {
    /// How many were made.
    made: u32,
    /// The first that may be left.
    next: u32,
}

impl Stacks {
    pub(crate) const NONE: Self = Self { made: 0, next: 0 };

    /// Makes them.
    #[cfg(feature = "freebsd")]
    pub(crate) fn make(count: u32) -> Result<Self, (Errno, String)> {
        for number in 0..count {
            let name = waiting_name(number);
            crate::sys::jail::create_waiting(&name).map_err(|failed| jail_failed(&name, failed))?;
        }
        Ok(Self { made: count, next: 0 })
    }

    /// A network namespace lives as long as a process is in it: none can wait.
    #[cfg(not(feature = "freebsd"))]
    pub(crate) fn make(_count: u32) -> Result<Self, (Errno, String)> {
        Ok(Self::NONE)
    }

    /// The jail for a program: the place of the program in its batch names one that is to be made.
    pub(crate) fn next(&mut self, agent: process::Pid, index: usize) -> Jail {
        #[cfg(feature = "freebsd")]
        while self.next < self.made {
            let name = waiting_name(self.next);
            self.next += 1;
            // Another connection may have taken it.
            if crate::sys::jail::exists(&name) {
                return Jail::Waiting(name);
            }
        }
        Jail::Fresh(jail_name(agent, index))
    }
}

#[cfg(feature = "freebsd")]
fn jail_failed(name: &core::ffi::CStr, (errno, words): (Errno, String)) -> (Errno, String) {
    let name = name.to_string_lossy();
    let cause = if words.is_empty() { format!("{errno}") } else { format!("{errno}: {words}") };
    let remedy = "the agent must run as root on a kernel with VIMAGE";
    (errno, format!("no jail `{name}` with a network stack of its own ({cause}); {remedy}"))
}

/// Puts this process into a network stack that nobody has used.
///
/// # Errors
/// The kernel's number and what could not be done.
#[cfg(feature = "freebsd")]
pub(crate) fn enter(jail: &Jail) -> Result<(), (Errno, String)> {
    match jail {
        Jail::Fresh(name) => crate::sys::jail::enter_fresh(name),
        Jail::Waiting(name) => crate::sys::jail::enter_waiting(name),
    }
    .map_err(|failed| jail_failed(jail.name(), failed))?;
    // An IPv6 address is tentative until nobody has objected so many times, a second each (RFC 4862 5.4). With the
    // default of one a vector on a busy host would now see it tentative and now not.
    match crate::sys::sysctl::set_int("net.inet6.ip6.dad_count", DAD_COUNT) {
        // A kernel without IPv6.
        Ok(()) | Err(crate::sys::errno::ENOENT) => Ok(()),
        Err(errno) => Err((errno, format!("net.inet6.ip6.dad_count cannot be set ({errno})"))),
    }
}

/// Puts this process into a fresh network namespace; without privilege into a user namespace as well, in
/// which it is root.
///
/// # Errors
/// The kernel's number and what could not be done.
#[cfg(not(feature = "freebsd"))]
pub(crate) fn enter(_jail: &Jail) -> Result<(), (Errno, String)> {
    use crate::sys::errno;
    use crate::sys::namespace::{Fresh, ids, unshare};

    let failed = |what: &str| {
        let what = String::from(what);
        move |errno: Errno| {
            (errno, format!("{what} ({errno}); run the agent as root or allow user namespaces"))
        }
    };
    match unshare(Fresh::Net) {
        Err(errno::EPERM) => {}
        result => return result.map_err(failed("no network namespace")),
    }
    let (uid, gid) = ids();
    unshare(Fresh::UserAndNet).map_err(failed("no network namespace and no user namespace"))?;
    // user_namespaces(7): an unprivileged writer must give up setgroups(2) before it maps its group.
    for (path, line) in [
        (c"/proc/self/setgroups", String::from("deny")),
        (c"/proc/self/uid_map", format!("0 {uid} 1")),
        (c"/proc/self/gid_map", format!("0 {gid} 1")),
    ] {
        write_line(path, &line).map_err(failed(&format!("cannot write {}", path.to_string_lossy())))?;
    }
    Ok(())
}

#[cfg(not(feature = "freebsd"))]
fn write_line(path: &core::ffi::CStr, line: &str) -> Result<(), Errno> {
    use crate::sys::io::{Access, open, write_all};

    write_all(open(path, Access::Write)?.raw(), line.as_bytes())
}

/// Puts this process into a jail that shares the network stack it is in.
#[cfg(feature = "freebsd")]
fn enter_within() -> Result<(), (Errno, String)> {
    crate::sys::jail::enter_within(c"within").map_err(|(errno, words)| {
        (errno, format!("no jail within the jail ({errno}: {words}); the agent must run as root"))
    })
}

/// There are no jails.
#[cfg(not(feature = "freebsd"))]
fn enter_within() -> Result<(), (Errno, String)> {
    Err((crate::sys::errno::EPERM, String::from("there are no jails here: the vector is for FreeBSD alone")))
}

/// Takes the credentials that the program asks for.
///
/// # Errors
/// The kernel's number and what could not be done.
pub(crate) fn take_privilege(privilege: Privilege) -> Result<(), (Errno, String)> {
    match privilege {
        Privilege::Root => Ok(()),
        Privilege::Jailed => enter_within(),
        Privilege::Unprivileged => process::become_user(NOBODY, NOBODY)
            // Linux forgets this with the change of user.
            .and_then(|()| process::die_with_parent())
            .map_err(|errno| {
                (errno, format!("cannot become user {NOBODY} ({errno}); the agent must run as root for that"))
            }),
    }
}
