//! Section 5.6: text and binary.

use super::*;

#[test]
fn s5_6_binary_is_any_bytes() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(events(read(&masked(0x82, &all))), [event(Opcode::Binary, &all)]);
}

#[test]
fn s5_6_text_is_utf8_and_kept_byte_for_byte() {
    for text in ["", "a\0b\rc\u{2028}d", "\u{feff}bom", "κόσμε", "\u{10ffff}"] {
        let expected = [event(Opcode::Text, text.as_bytes())];
        assert_eq!(events(read(&masked(0x81, text.as_bytes()))), expected);
    }
}
