//! When a certificate is valid: the one thing about it that rustls does not tell (RFC 5280 §4.1.2.5).
//!
//! Law: any bytes give an answer or none, and nothing panics. Limit: DER only, as certificates are;
//! times as RFC 5280 has them, in UTC with seconds.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

/// The time in which a certificate may be used, in seconds since 1970, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// Reads it from a certificate; `None` when that is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut certificate = of_type(&mut { certificate }, SEQUENCE)?;
        let mut to_be_signed = of_type(&mut certificate, SEQUENCE)?;
        let fields = &mut to_be_signed;
        if fields.first() == Some(&VERSION) {
            of_type(fields, VERSION)?;
        }
        of_type(fields, INTEGER)?; // serial number
        of_type(fields, SEQUENCE)?; // algorithm of the signature
        of_type(fields, SEQUENCE)?; // issuer
        let mut validity = of_type(fields, SEQUENCE)?;
        let not_before = time(&mut validity)?;
        let not_after = time(&mut validity)?;
        Some(Self { not_before, not_after })
    }
}

/// The contents of the element at the beginning of `input`, which must be of that type.
fn of_type<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, contents) = element(input)?;
    (found == tag).then_some(contents)
}

fn element<'a>(input: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, rest) = input.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if first & 0x80 == 0 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        let length = digits.iter().fold(0u64, |length, digit| length << 8 | u64::from(*digit));
        (usize::try_from(length).ok()?, rest)
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    *input = rest;
    Some((*tag, contents))
}

/// UTCTime `YYMMDDHHMMSSZ` or GeneralizedTime `YYYYMMDDHHMMSSZ`.
fn time(input: &mut &[u8]) -> Option<i64> {
    let (tag, text) = element(input)?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = number(year)?;
            (year.checked_add(if year < 50 { 2000 } else { 1900 })?, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let digits = rest.strip_suffix(b"Z")?;
    let mut pairs = digits.chunks_exact(2).map(number);
    let mut next = |least: i64, most: i64| {
        let value = pairs.next()??;
        (least..=most).contains(&value).then_some(value)
    };
    let (month, day) = (next(1, 12)?, next(1, 31)?);
    let (hour, minute, second) = (next(0, 23)?, next(0, 59)?, next(0, 59)?);
    if digits.len() != 10 {
        return None;
    }
    let hours = days(year, month, day)?.checked_mul(24)?.checked_add(hour)?;
    hours.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0i64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

/// Days from 1970-01-01 in the Gregorian calendar; the year begins in March, so that the leap day is
/// its last.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let month = month.checked_add(9)?.checked_rem(12)?;
    let before = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leaps = year.div_euclid(4).checked_sub(year.div_euclid(100))?;
    let leaps = leaps.checked_add(year.div_euclid(400))?;
    let whole = year.checked_mul(365)?.checked_add(leaps)?;
    whole.checked_add(before)?.checked_add(day)?.checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_since_1970() {
        for (date, since) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2026, 11, 21), 20_778),
            ((2100, 3, 1), 47_541),
        ] {
            assert_eq!(days(date.0, date.1, date.2), Some(since), "{date:?}");
        }
    }

    #[test]
    fn times_as_certificates_write_them() {
        let utc = |text: &str| [&[UTC_TIME, text.len() as u8], text.as_bytes()].concat();
        let general =
            |text: &str| [&[GENERALIZED_TIME, text.len() as u8], text.as_bytes()].concat();
        for (bytes, seconds) in [
            (utc("700101000000Z"), Some(0)),
            (utc("491231235959Z"), Some(2_524_607_999)),
            (utc("500101000000Z"), Some(-631_152_000)),
            (general("20500101000000Z"), Some(2_524_608_000)),
            (general("99991231235959Z"), Some(253_402_300_799)),
            (utc("701301000000Z"), None),
            (utc("700100000000Z"), None),
            (utc("700101240000Z"), None),
            (utc("7001010000Z"), None),
            (utc("70010100000000Z"), None),
            (utc("700101000000"), None),
            (utc("7001010000x0Z"), None),
            (general("700101000000Z"), None),
            (vec![4, 0], None),
        ] {
            assert_eq!(time(&mut bytes.as_slice()), seconds, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_certificate_tells_and_a_part_of_one_does_not() {
        let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        wanted.not_before = rcgen::date_time_ymd(1999, 12, 31);
        wanted.not_after = rcgen::date_time_ymd(2050, 1, 1);
        let made = wanted.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let der = made.der();
        let found = Validity::of(der).unwrap();
        assert_eq!(found, Validity { not_before: 946_598_400, not_after: 2_524_608_000 });
        // The length of the whole is told first.
        assert!((0..der.len()).all(|length| Validity::of(&der[..length]).is_none()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            Validity::of(&bytes);
            time(&mut bytes.as_slice());
            let nested = [&[SEQUENCE, 0x81, bytes.len() as u8][..], &bytes].concat();
            Validity::of(&nested);
        }
    }
}
