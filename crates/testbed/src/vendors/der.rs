//! The few lines of DER (X.690) that certificates, lists and SGX extensions are written with.

/// One value: tag, length, content.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n @ 0..0x80 => out.push(n as u8),
        n @ 0x80..0x100 => out.extend([0x81, n as u8]),
        n => {
            let n = u16::try_from(n).expect("because no certificate of ours is that long");
            out.push(0x82);
            out.extend(n.to_be_bytes());
        }
    }
    out.extend(content);
    out
}

/// SEQUENCE of these.
pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// SET of these, in the order given.
pub fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x31, &parts.concat())
}

/// `[n]`, constructed.
pub fn explicit(n: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | n, content)
}

/// `[n]`, primitive.
pub fn implicit(n: u8, content: &[u8]) -> Vec<u8> {
    tlv(0x80 | n, content)
}

/// BOOLEAN.
pub fn boolean(value: bool) -> Vec<u8> {
    tlv(0x01, &[if value { 0xff } else { 0 }])
}

/// INTEGER that is not negative, from big-endian bytes.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    let mut content = bytes[zeros..].to_vec();
    if content.first().is_none_or(|b| b & 0x80 != 0) {
        content.insert(0, 0);
    }
    tlv(0x02, &content)
}

/// INTEGER of a small number.
pub fn number(n: u64) -> Vec<u8> {
    integer(&n.to_be_bytes())
}

/// ENUMERATED of a small number.
pub fn enumerated(n: u8) -> Vec<u8> {
    tlv(0x0a, &[n])
}

/// BIT STRING of whole bytes.
pub fn bits(content: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], content].concat())
}

/// OCTET STRING.
pub fn octets(content: &[u8]) -> Vec<u8> {
    tlv(0x04, content)
}

/// UTF8String.
pub fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

/// IA5String.
pub fn ia5(text: &str) -> Vec<u8> {
    tlv(0x16, text.as_bytes())
}

/// NULL.
pub fn null() -> Vec<u8> {
    tlv(0x05, &[])
}

/// OBJECT IDENTIFIER, from its dotted form.
pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> =
        dotted.split('.').map(|a| a.parse().expect("because tests write dotted numbers")).collect();
    let mut content = base128(arcs[0] * 40 + arcs[1]);
    for arc in &arcs[2..] {
        content.extend(base128(*arc));
    }
    tlv(0x06, &content)
}

fn base128(mut n: u64) -> Vec<u8> {
    let mut out = vec![(n & 0x7f) as u8];
    while n > 0x7f {
        n >>= 7;
        out.insert(0, (n & 0x7f) as u8 | 0x80);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_lengths() {
        for (made, expected) in [
            (number(0), "020100"),
            (number(127), "02017f"),
            (number(128), "02020080"),
            (number(65_537), "0203010001"),
            (oid("1.2.840.113741.1.13.1"), "06092a864886f84d010d01"),
            (oid("1.3.6.1.4.1.3704.1.4"), "06092b060104019c780104"),
        ] {
            assert_eq!(hex(&made), expected);
        }
        assert_eq!(octets(&[7; 200])[..3], [0x04, 0x81, 200]);
        assert_eq!(octets(&[7; 300])[..4], [0x04, 0x82, 1, 44]);
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
}
