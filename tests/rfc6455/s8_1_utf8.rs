//! Section 8.1: text that is not UTF-8, found as early as it can be.

use super::*;

const BAD: [&[u8]; 9] = [
    b"\x80",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
];

#[test]
fn s8_1_text_that_is_not_utf8_must_fail_the_connection() {
    for bad in BAD {
        for text in [bad.to_vec(), [b"before ", bad, b" after"].concat()] {
            assert_eq!(fault(&masked(0x81, &text)), Some(Error::InvalidUtf8), "{bad:?}");
            for cut in 0..=text.len() {
                let wire = [masked(0x01, &text[..cut]), masked(0x80, &text[cut..])].concat();
                assert_eq!(fault(&wire), Some(Error::InvalidUtf8), "{bad:?}, cut {cut}");
            }
        }
    }
}

#[test]
fn s8_1_a_character_may_be_cut_by_fragments_but_not_by_the_end() {
    let text = "κ€🎺";
    for cut in 0..=text.len() {
        let parts = (&text.as_bytes()[..cut], &text.as_bytes()[cut..]);
        let wire = [masked(0x01, parts.0), masked(0x80, parts.1)].concat();
        assert_eq!(events(read(&wire)), [event(Opcode::Text, text.as_bytes())]);
        let ended = fault(&masked(0x81, parts.0));
        assert_eq!(ended.is_some(), !text.is_char_boundary(cut), "cut {cut}");
    }
}

#[test]
fn s8_1_the_fault_is_found_before_the_frame_or_the_message_ends() {
    // Autobahn 6.4: a valid prefix, a bad octet, and then silence.
    let prefix = "κόσμε".as_bytes();
    let bad = b"\xf4\x90";
    let in_fragments = [masked(0x01, prefix), masked(0x00, bad)].concat();
    assert_eq!(fault(&in_fragments), Some(Error::InvalidUtf8));
    let long = masked(0x81, &[prefix, bad, &[b'x'; 500]].concat());
    let header = 8;
    let enough = &long[..header + prefix.len() + 2];
    assert_eq!(fault(enough), Some(Error::InvalidUtf8), "within a frame");
    assert_eq!(fault(&enough[..enough.len() - 1]), None, "not an octet before");
}
