// SPDX-License-Identifier: BSD-2-Clause
//! Command lines for the shells of a guest.

/// What the guest's sh(1) is given for the words of a command line. One word is a line of shell, as ssh(1) takes it
/// (`'ifconfig lo10 create; ifconfig lo10'`). Several words stay separate words.
pub fn script(words: &[String]) -> String {
    match words {
        [line] => line.clone(),
        words => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    }
}

/// A command that has sh(1) run a script, whatever the user's login shell is; input and exit status are the script's.
///
/// Root's login shell is csh(1) before FreeBSD 14. That one keeps what stands between single quotes, but for exclamation
/// marks and line ends: a script with one of these is written as octal numbers.
pub fn for_login_shell(script: &str) -> String {
    if !script.contains(['!', '\n', '\r']) {
        return format!("exec /bin/sh -c {}", quoted(script));
    }
    let octal: String = script.bytes().map(|byte| format!("\\0{byte:03o}")).collect();
    format!("exec /bin/sh -c 'exec /bin/sh -c \"$(printf %b \"{octal}\")\"'")
}

/// A word as sh(1) reads it as itself.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Output of a shell that is given the command for these words; `None`: the shell is not installed.
    fn printed(shell: &str, words: &[String]) -> Option<(String, Option<i32>)> {
        let output = Command::new(shell).args(["-c", &for_login_shell(&script(words))]).output().ok()?;
        Some((String::from_utf8(output.stdout).unwrap(), output.status.code()))
    }

    #[test]
    fn one_word_is_a_line_of_shell_and_several_stay_words() {
        for (given, expected) in [
            (words(&["echo a; echo b"]), "a\nb\n"),
            (words(&["sh", "-c", "echo a; echo b"]), "a\nb\n"),
            (words(&["printf", "<%s>", "a; b", "$HOME", "it's", "", "*"]), "<a; b><$HOME><it's><><*>"),
            (words(&["echo no!; echo 'it'\"s\"\necho %d"]), "no!\nits\n%d\n"),
            (words(&["printf", "<%s>", "a\nb", "!!", "ü%n\\x"]), "<a\nb><!!><ü%n\\x>"),
        ] {
            for shell in ["sh", "csh"] {
                let Some((text, status)) = printed(shell, &given) else { continue };
                assert_eq!((text.as_str(), status), (expected, Some(0)), "{shell}: {given:?}");
            }
        }
    }

    #[test]
    fn the_exit_status_and_the_input_are_those_of_the_script() {
        assert_eq!(printed("sh", &words(&["exit 7"])), Some((String::new(), Some(7))));
        assert_eq!(printed("sh", &words(&["! true\nexit 8"])), Some((String::new(), Some(8))));
        for script in ["cat", "! false\ncat"] {
            let output = duct::cmd!("sh", "-c", for_login_shell(script)).stdin_bytes("in").read().unwrap();
            assert_eq!(output, "in", "{script}");
        }
    }

    #[test]
    fn sh_reads_back_what_was_quoted() {
        for word in ["plain", "two words", "a'b\"c", "$x `y` \\", "*", "ü\n", ""] {
            let script = format!("printf %s {}", quoted(word));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
