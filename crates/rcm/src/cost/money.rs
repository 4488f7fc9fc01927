//! Dollars and quantities, exact: integers, never floats.

use std::{fmt, iter::Sum, ops, str::FromStr};

use serde::{Serialize, Serializer};

/// Nano-dollars in a dollar: a request to S3 costs fewer than one micro-dollar.
const NANOS: i64 = 1_000_000_000;
/// Thousandths in one.
const MILLIS: i64 = 1_000;

/// An amount of US dollars, in billionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i64);

/// How much of something, in thousandths: 182.5 vCPU-hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

impl Usd {
    /// What so much costs at this price for one, to the next billionth of a dollar.
    #[must_use]
    pub fn times(self, quantity: Quantity) -> Self {
        let exact = i128::from(self.0) * i128::from(quantity.0);
        let half = i128::from(MILLIS / 2) * exact.signum();
        Self(i64::try_from((exact + half) / i128::from(MILLIS)).unwrap_or(i64::MAX))
    }

    /// The price of `per` of something that costs `each`, as AWS writes prices: `0.0000006000`. None where that is no exact number of
    /// billionths of a dollar.
    pub(super) fn of_many(each: &str, per: u32) -> Option<Self> {
        const PLACES: usize = 18;
        let each = scaled(each, PLACES)?;
        let nanos = each.checked_mul(i128::from(per))?;
        let unit = 10_i128.pow(9);
        (nanos % unit == 0).then(|| i64::try_from(nanos / unit).ok().map(Self)).flatten()
    }

    /// In cents, to the next one.
    pub fn cents(self) -> i64 {
        const CENT: i64 = NANOS / 100;
        (self.0 + CENT / 2 * self.0.signum()) / CENT
    }

    /// Every decimal that there is, and two at least: `0.04048`.
    pub fn exact(self) -> String {
        decimal(self.0, NANOS, 2)
    }

    /// With its sign in any case and two decimals: `+$214.30`, `-$1.00`, `±$0.00`.
    pub fn signed(self) -> String {
        match self.cents() {
            0 => "±$0.00".to_owned(),
            1.. => format!("+{self}"),
            _ => self.to_string(),
        }
    }
}

impl Quantity {
    /// So many.
    pub const fn of(number: i64) -> Self {
        Self(number.saturating_mul(MILLIS))
    }

    /// `number` of `parts` equal parts, to the next thousandth: `part(256, 1024)` is a quarter.
    pub const fn part(number: i64, parts: i64) -> Self {
        Self(number.saturating_mul(MILLIS) / parts)
    }

    /// So many times this.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        let exact = i128::from(self.0) * i128::from(other.0) / i128::from(MILLIS);
        Self(i64::try_from(exact).unwrap_or(i64::MAX))
    }
}

impl ops::Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl ops::Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl ops::Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl ops::Sub for Usd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), ops::Add::add)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.cents();
        let sign = if cents < 0 { "-" } else { "" };
        f.pad(&format!("{sign}${}.{:02}", grouped(cents.unsigned_abs() / 100), cents.unsigned_abs() % 100))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&decimal(self.0, MILLIS, 0))
    }
}

/// Exactly, for programs: `"0.04048"`, with two decimals at least.
impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&decimal(self.0, MILLIS, 0))
    }
}

impl FromStr for Usd {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, 9).map(Self)
    }
}

impl FromStr for Quantity {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, 3).map(Self)
    }
}

/// `1,234`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The exact decimal of `number` `scale`ths, with `least` decimals at least.
fn decimal(number: i64, scale: i64, least: usize) -> String {
    let width = scale.ilog10() as usize;
    let (whole, rest) = (number.unsigned_abs() / scale.unsigned_abs(), number.unsigned_abs() % scale.unsigned_abs());
    let mut fraction = format!("{rest:0width$}");
    while fraction.len() > least && fraction.ends_with('0') {
        fraction.pop();
    }
    let sign = if number < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A decimal without a sign, as a number of its last possible place.
fn parse(text: &str, places: usize) -> Result<i64, &'static str> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err("a number is written as in 20 or 0.5");
    }
    if fraction.len() > places {
        return Err("it has too many decimals");
    }
    format!("{whole}{fraction:0<places$}").parse().map_err(|_| "the number is too large")
}

/// The same, of any size, as AWS writes it; none where it is no decimal, or has more places.
fn scaled(text: &str, places: usize) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > places {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_exact_and_shown_to_the_cent() {
        // 730 h of 0.25 vCPU: 182.5 × $0.04048 = $7.3876.
        let vcpu_hours = Quantity::part(256, 1024).times(Quantity::of(730));
        let month = usd("0.04048").times(vcpu_hours);
        assert_eq!((vcpu_hours.to_string(), month), ("182.5".into(), usd("7.3876")));
        assert_eq!(month.to_string(), "$7.39");
        assert_eq!(serde_json::to_value(month).unwrap(), "7.3876");
        assert_eq!(serde_json::to_value(usd("5")).unwrap(), "5.00");
        // A tenth of a dollar, ten million times, is a million dollars and nothing beside it.
        assert_eq!(usd("0.1").times(Quantity::of(10_000_000)), usd("1000000"));
        assert_eq!(usd("1234567.895").to_string(), "$1,234,567.90");
    }

    #[test]
    fn the_price_of_many_is_exact_or_none() {
        assert_eq!(Usd::of_many("0.0404800000", 1), Some(usd("0.04048")));
        assert_eq!(Usd::of_many("0.0000006000", 1_000_000), Some(usd("0.6")));
        assert_eq!(Usd::of_many("5", 1), Some(usd("5")));
        // A ten-billionth of a dollar is none of ours, and of a million of them it is.
        assert_eq!(Usd::of_many("0.0000166667", 1), None);
        assert_eq!(Usd::of_many("0.0000166667", 1_000_000), Some(usd("16.6667")));
        for wrong in ["", "-1", "1e-7", "1,5", "0.1234567890123456789"] {
            assert_eq!(Usd::of_many(wrong, 1), None, "{wrong}");
        }
    }

    #[test]
    fn differences_have_signs() {
        assert_eq!((usd("214.3") - Usd::default()).signed(), "+$214.30");
        assert_eq!((Usd::default() - usd("0.995")).signed(), "-$1.00");
        assert_eq!((usd("1") - usd("0.999")).signed(), "±$0.00");
    }

    #[test]
    fn numbers_are_decimals_without_a_sign() {
        for wrong in ["", ".", "1.", ".5", "-1", "1e3", "1,5", "0.0001", "99999999999999999999"] {
            assert!(wrong.parse::<Quantity>().is_err(), "{wrong}");
        }
        assert_eq!("0.5".parse::<Quantity>().unwrap(), Quantity::part(1, 2));
    }
}
