// SPDX-License-Identifier: BSD-2-Clause
//! Files into the guest: whole or not at all.

use std::io::Cursor;
use std::ops::ControlFlow;

use super::error::SshError;
use super::exec::Output;
use super::hostkey::sha256_hex;
use super::session::Ssh;
use crate::vm::{Wait, Watch};

impl Ssh {
    /// Writes a file with mode 0755: under another name first, renamed once its digest is right. Needs
    /// `/bin/sh`, `cat`, `mv`, and `sha256` (FreeBSD) or `sha256sum`.
    ///
    /// # Errors
    /// [`SshError::Upload`] with the guest's words, or the connection's errors.
    pub async fn upload(
        &self,
        bytes: &[u8],
        path: &str,
        wait: &Wait,
        watch: &mut impl Watch,
    ) -> Result<(), SshError> {
        let failed = |cause: String| SshError::Upload { path: path.to_owned(), cause };
        let command = upload_command(path, &sha256_hex(bytes))
            .ok_or_else(|| failed("its name has characters that a shell would need quoted".into()))?;
        let mut words = Vec::new();
        let mut hear = |output: Output<'_>| {
            let (Output::Stdout(bytes) | Output::Stderr(bytes)) = output;
            words.extend_from_slice(bytes);
            ControlFlow::Continue(())
        };
        let status = self.exec(&command, &mut Cursor::new(bytes), wait, watch, &mut hear).await?;
        if status.is_success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&words).trim_end().to_owned();
        Err(failed(if words.is_empty() { status.to_string() } else { words }))
    }
}

/// For any login shell: csh too, root's on FreeBSD before 14, keeps what stands between single quotes, as
/// long as there is neither a line end nor an exclamation mark.
fn upload_command(path: &str, digest: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    if !path.starts_with('/') || !path.chars().all(plain) {
        return None;
    }
    Some(format!(
        "/bin/sh -c 'umask 077; t={path}.part.$$; trap \"rm -f $t\" EXIT; cat > $t || exit 1; \
         if command -v sha256 > /dev/null; then d=$(sha256 -q $t); \
         else d=$(sha256sum $t); d=${{d%% *}}; fi; \
         [ \"$d\" = {digest} ] || {{ echo \"digest differs: $d\" >&2; exit 1; }}; \
         chmod 0755 $t && mv -f $t {path}'"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_survives_every_shell() {
        let command = upload_command("/root/agent-0123", "abcd").unwrap();
        assert!(!command.contains('!') && !command.contains('\n'), "{command}");
        assert_eq!(command.matches('\'').count(), 2, "{command}");
        assert!(command.contains("t=/root/agent-0123.part.$$;"), "{command}");
    }

    #[test]
    fn a_path_that_needs_quoting_is_refused() {
        for path in ["relative", "/a b", "/a;b", "/a'b", "/$(x)", ""] {
            assert_eq!(upload_command(path, "abcd"), None, "{path}");
        }
    }
}
