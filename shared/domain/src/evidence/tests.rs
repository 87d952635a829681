use proptest::prelude::*;

use super::*;

#[test]
fn the_end_of_a_text_is_kept_in_whole_lines() {
    assert_eq!(end_of("one\ntwo\n", 8), ("one\ntwo\n", false));
    assert_eq!(end_of("one\ntwo\n", 7), ("two\n", true));
    assert_eq!(end_of("one\ntwo\n", 4), ("two\n", true), "cut between two lines");
    assert_eq!(end_of("one\ntwo\n", 3), ("wo\n", true), "the end of the last line, rather than nothing");
    assert_eq!(end_of("grüße", 5), ("üße", true));
    assert_eq!(end_of("grüße", 4), ("ße", true), "a character stays whole");
    assert_eq!(end_of("", 0), ("", false));
}

proptest! {
    #[test]
    fn what_is_kept_is_the_end_and_fits_and_is_only_cut_where_it_must(text in "(\n|[a-z]|ü){0,60}", max in 2_usize..80) {
        let (kept, truncated) = end_of(&text, max);
        prop_assert!(text.ends_with(kept) && kept.len() <= max);
        prop_assert_eq!(truncated, kept.len() < text.len());
        prop_assert_eq!(truncated, text.len() > max);
        prop_assert_eq!(kept.is_empty(), text.is_empty());
    }

    #[test]
    fn whatever_is_masked_the_known_secret_is_gone_and_the_lines_are_as_many(text in "[a-z :=\n]{0,80}", at in 0_usize..80) {
        let at = at.min(text.len());
        let (before, after) = text.split_at(at);
        let masked = masked(&format!("{before}S3cr3t!{after}"), &["S3cr3t!"]);
        prop_assert!(!masked.contains("S3cr3t!"));
        prop_assert_eq!(masked.matches('\n').count(), text.matches('\n').count());
    }
}

#[test]
fn what_looks_like_a_secret_is_masked_and_the_rest_stays() {
    let token = format!("{}9Zz%0A{}", "Abc1".repeat(15), "dEf2".repeat(12));
    for (line, expected) in [
        ("admin password: hunter2 and more", "admin password: [masked]"),
        ("{\"password\": \"hunter2\", \"x\": 1}", "{\"password\": [masked]"),
        ("CCM_TOKEN=hunter2", "CCM_TOKEN=[masked]"),
        ("username ada privilege 15 secret 9 $9$hunter2", "username ada privilege 15 secret 9 [masked]"),
        ("enable password 7 0822455D0A16", "enable password 7 [masked]"),
        ("Passwort und PASSWD = hunter2", "Passwort und PASSWD = [masked]"),
        ("Started Forward Password Requests to Wall.", "Started Forward Password Requests to Wall."),
        ("Password: ", "Password: "),
        ("the tokens 3", "the tokens 3"),
        ("systemd[1]: Reached target Multi-User System.", "systemd[1]: Reached target Multi-User System."),
        (&"=".repeat(120), &"=".repeat(120)),
        (&"0123456789abcdef".repeat(8), &"0123456789abcdef".repeat(8)),
        (&format!("registered with {token}, done"), "registered with [masked], done"),
        ("größe password=ü", "größe password=[masked]"),
    ] {
        assert_eq!(masked(line, &[]), expected, "{line}");
        assert_eq!(masked(&format!("{line}\nnext\n"), &[]), format!("{expected}\nnext\n"), "{line}");
    }
    assert_eq!(masked("login ada/hunter2 failed", &["hunter2", ""]), "login ada/[masked] failed");
}
