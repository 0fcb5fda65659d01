//! What holds for UTF-8 in pieces, and for what a Close frame carries; called by tests and by the
//! target `utf8`.

use super::super::header::Role;
use super::super::utf8::Utf8;
use super::super::{CloseCode, Limits, Opcode, encoder};
use super::trace;

/// However the text is cut, it is refused at the octet at which the standard library knows that no
/// further octets could repair it, and taken at its end if that is all of it.
///
/// Input: an octet for the cuts, the text.
pub fn utf8(data: &[u8]) {
    law(data, refused_at);
}

/// How the law reads: [`refused_at`], or something planted to see the law fail.
type Run = fn(&[u8], &[usize]) -> Verdict;

/// The end of the piece that was refused; whether the text may end at its end.
type Verdict = (Option<usize>, bool);

fn law(data: &[u8], run: Run) {
    let [cuts, text @ ..] = data else { return };
    let chosen = [usize::from(cuts & 0x0f), usize::from(cuts >> 4)];
    let wrong = irreparable(text);
    for cuts in [&[1][..], &[2, 1], &[7, 1, 13], &[usize::MAX], &chosen] {
        let (refused, ends) = run(text, cuts);
        let expected = wrong.map(|wrong| piece_end(text.len(), cuts, wrong));
        assert_eq!(refused, expected, "refused with the octet that is wrong, cut by {cuts:?}");
        assert_eq!(ends, str::from_utf8(text).is_ok(), "the end, cut by {cuts:?}");
    }
}

fn refused_at(text: &[u8], cuts: &[usize]) -> Verdict {
    let (mut decoder, mut at) = (Utf8::default(), 0);
    for length in cuts.iter().cycle() {
        let rest = text.get(at..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        let piece = rest.get(..(*length).max(1)).unwrap_or(rest);
        at = at.saturating_add(piece.len());
        if decoder.push(piece).is_err() {
            return (Some(at), false);
        }
    }
    (None, decoder.finish().is_ok())
}

/// Where the first `wrong` octets end that cannot be repaired; none when they can.
fn irreparable(text: &[u8]) -> Option<usize> {
    let error = str::from_utf8(text).err()?;
    error.error_len()?;
    let start = error.valid_up_to();
    (1..=4_usize).map(|more| start.saturating_add(more)).find(|end| {
        let character = text.get(start..*end).unwrap_or_default();
        str::from_utf8(character).is_err_and(|error| error.error_len().is_some())
    })
}

/// The end of the piece that holds octet `wrong - 1`.
fn piece_end(length: usize, cuts: &[usize], wrong: usize) -> usize {
    let mut at = 0_usize;
    for length in cuts.iter().cycle() {
        if at >= wrong {
            break;
        }
        at = at.saturating_add((*length).max(1));
    }
    at.min(length)
}

/// A Close frame is taken when its payload is nothing, or a code that may be sent and a reason in
/// UTF-8; what is written by [`encoder::close_payload`] is taken, with as much of the reason as fits.
///
/// Input: the payload of a Close frame.
pub fn close_payload(data: &[u8]) {
    let limits = Limits { message_bytes: 1024, parts_per_message: 8 };
    let heard = |payload: &[u8]| {
        let mut wire = Vec::new();
        encoder::encode_into(&mut wire, Opcode::Close, payload);
        trace(Role::Client, limits, &wire, &[])
    };
    let heard_of = heard(data);
    let (code, reason) = match data {
        [high, low, reason @ ..] => (Some(u16::from_be_bytes([*high, *low])), reason),
        rest => (None, rest),
    };
    let may_be = match code {
        Some(1000..=1003 | 1007..=1014 | 3000..=4999) => str::from_utf8(reason).is_ok(),
        Some(_) => false,
        None => reason.is_empty(),
    };
    if may_be && data.len() <= 125 {
        let close = (Opcode::Close, code.map(CloseCode), reason.to_vec());
        assert_eq!(heard_of.events, [close], "a good Close frame is taken");
    } else {
        assert!(heard_of.events.is_empty() && heard_of.error.is_some(), "a bad one is not");
    }
    let (Some(code), Ok(reason)) = (code.map(CloseCode), str::from_utf8(reason)) else { return };
    if code.may_be_sent(Role::Server) {
        let written = heard(&encoder::close_payload(code, reason));
        let told = written.events.first().map(|(_, _, told)| told.as_slice()).unwrap_or_default();
        assert!(reason.as_bytes().starts_with(told), "the beginning of the reason");
        assert!(told.len() >= reason.len().min(120), "no more is left out than has to be");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_characters() {
        for text in
            [&b"\x21\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82"[..], b"\x11a\xe0\x80", b"\x33\xf4\x90"]
        {
            utf8(text);
        }
        assert_eq!(irreparable(b"ab\xe0\x80z"), Some(4));
        assert_eq!((irreparable(b"ab\xe0"), irreparable(b"\xff")), (None, Some(1)));
        assert_eq!(
            (piece_end(9, &[2, 1], 3), piece_end(9, &[2, 1], 4), piece_end(4, &[7], 1)),
            (3, 5, 4)
        );
        for payload in
            [&b""[..], b"\x03", b"\x03\xe8", b"\x03\xecx", b"\x0f\xa0bye", b"\x03\xe8\xff"]
        {
            close_payload(payload);
        }
    }

    /// Planted: waits for a whole character before it looks.
    fn patient(text: &[u8], cuts: &[usize]) -> Verdict {
        let (refused, ends) = refused_at(text, cuts);
        (refused.map(|at| (at + 1).min(text.len())), ends)
    }

    #[test]
    #[should_panic(expected = "refused with the octet")]
    fn a_late_refusal_breaks_the_law() {
        law(b"\x11\xe0\x80abc", patient);
    }
}
