//! Numbers on messages: how they are written, found again, and checked for their order.

/// Numbers start over here: with 10,000,000 added, as in acknowledgements, they have eight digits
/// all the same.
pub(crate) const CYCLE: u32 = 90_000_000;

/// How many digits a number has on the wire.
pub(crate) const DIGITS: usize = 8;

/// `number` as eight digits.
pub(crate) fn to_digits(mut number: u32) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// The number at the front of `text`, if eight digits are there.
pub(crate) fn from_digits(text: &[u8]) -> Option<u32> {
    let mut number = 0;
    for byte in text.first_chunk::<DIGITS>()? {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u32::from(digit);
    }
    (number < CYCLE).then_some(number)
}

/// The number after `number`.
pub(crate) fn next(number: u32) -> u32 {
    if number + 1 == CYCLE { 0 } else { number + 1 }
}

/// Which number is due. A message is out of order if one that was sent after it came before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    expected: u32,
}

impl Order {
    /// Whether the message with `number` is in order. What it skips may come later, out of order,
    /// or never.
    pub(crate) fn is_kept_by(&mut self, number: u32) -> bool {
        if number == self.expected {
            self.expected = next(number);
            return true;
        }
        let ahead = (number + CYCLE - self.expected) % CYCLE;
        let is_kept = ahead < CYCLE / 2;
        if is_kept {
            self.expected = next(number);
        }
        is_kept
    }
}

/// Finds the number in what a server sends: it comes right after a fixed text, and nearly always
/// where it was in the message before.
#[derive(Debug)]
pub(crate) struct Finder {
    marker: &'static [u8],
    last_at: usize,
}

impl Finder {
    pub(crate) fn new(marker: &'static str) -> Self {
        Self { marker: marker.as_bytes(), last_at: 0 }
    }

    /// The number in `text`; `None` if there is no marker with eight digits behind it.
    pub(crate) fn find(&mut self, text: &[u8]) -> Option<u32> {
        if !text.get(self.last_at..)?.starts_with(self.marker) {
            self.last_at = text.windows(self.marker.len()).position(|at| at == self.marker)?;
        }
        from_digits(&text[self.last_at + self.marker.len()..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_round_trip() {
        for number in [0, 7, 12_345_678, CYCLE - 1] {
            assert_eq!(from_digits(&to_digits(number)), Some(number));
        }
        assert_eq!(&to_digits(1203), b"00001203");
        for wrong in [&b"1234567"[..], b"1234567x", b"99999999", b"-1234567"] {
            assert_eq!(from_digits(wrong), None);
        }
    }

    #[test]
    fn what_was_overtaken_is_out_of_order() {
        let mut order = Order::default();
        let kept: Vec<bool> =
            [0, 1, 4, 2, 5, 3, 5, 6].into_iter().map(|number| order.is_kept_by(number)).collect();
        assert_eq!(kept, [true, true, true, false, true, false, false, true]);
    }

    #[test]
    fn order_survives_the_end_of_the_cycle() {
        let mut order = Order { expected: CYCLE - 2 };
        assert!([CYCLE - 2, CYCLE - 1, 0, 1].into_iter().all(|number| order.is_kept_by(number)));
        assert!(!order.is_kept_by(CYCLE - 1));
        assert_eq!(order.expected, 2);
    }

    #[test]
    fn a_number_is_found_wherever_the_server_puts_it() {
        let mut finder = Finder::new(r#""seq":""#);
        assert_eq!(finder.find(br#"2["e",{"a":1,"seq":"00000042"}]"#), Some(42));
        assert_eq!(finder.find(br#"2["e",{"a":2,"seq":"00000043"}]"#), Some(43));
        assert_eq!(finder.find(br#"2["e",{"seq":"00000044"}]"#), Some(44));
        assert_eq!(finder.find(b""), None);
        assert_eq!(finder.find(br#"2["other","a longer text without any"]"#), None);
        assert_eq!(finder.find(br#"2["e",{"seq":"0"}]"#), None);
    }
}
