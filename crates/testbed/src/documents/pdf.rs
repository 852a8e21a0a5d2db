//! The smallest PDF that every reader opens: one page, Helvetica, lines of text (ISO 32000-1).

use std::fmt::Write as _;

/// A one-page A4 PDF with these lines. Characters outside Latin-1 become `?`.
pub fn page(lines: &[&str]) -> Vec<u8> {
    let text = content(lines);
    let objects: [Vec<u8>; 5] = [
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
          /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_vec(),
        [format!("<< /Length {} >>\nstream\n", text.len()).as_bytes(), &text, b"\nendstream"]
            .concat(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_vec(),
    ];
    // the comment of high bytes marks the file as binary (ISO 32000-1 §7.5.2)
    let mut out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (n, object) in (1..).zip(&objects) {
        writeln!(table, "{:010} 00000 n ", out.len()).expect("because writing to a String works");
        out.extend_from_slice(format!("{n} 0 obj\n").as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    out.extend_from_slice(table.as_bytes());
    let size = objects.len() + 1;
    out.extend_from_slice(
        format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").as_bytes(),
    );
    out
}

fn content(lines: &[&str]) -> Vec<u8> {
    let mut out = b"BT /F1 11 Tf 14 TL 56 786 Td\n".to_vec();
    for line in lines {
        out.push(b'(');
        for c in line.chars() {
            match u8::try_from(u32::from(c)) {
                Ok(b @ (b'(' | b')' | b'\\')) => out.extend_from_slice(&[b'\\', b]),
                Ok(b) if b >= 0x20 => out.push(b),
                _ => out.push(b'?'),
            }
        }
        out.extend_from_slice(b") Tj T*\n");
    }
    out.extend_from_slice(b"ET");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cross_reference_points_at_its_object() {
        let pdf = page(&["Havgård (test) \\ 100 %", "→ not Latin-1"]);
        let find = |needle: &[u8]| pdf.windows(needle.len()).position(|w| w == needle).unwrap();
        let table = find(b"xref\n");
        for n in 1..=5 {
            let row = &pdf[table + "xref\n0 6\n".len() + n * 20..][..10];
            let at: usize = std::str::from_utf8(row).unwrap().parse().unwrap();
            assert!(pdf[at..].starts_with(format!("{n} 0 obj\n").as_bytes()), "object {n}");
        }
        let tail = String::from_utf8_lossy(&pdf[find(b"startxref\n")..]).into_owned();
        assert_eq!(tail, format!("startxref\n{table}\n%%EOF\n"));
        let stream = find(b"stream\n") + "stream\n".len();
        let length: usize = String::from_utf8_lossy(&pdf[find(b"/Length ") + 8..stream])
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(pdf[stream + length..].starts_with(b"\nendstream"));
        let _ = find(b"(Havg\xe5rd \\(test\\) \\\\ 100 %) Tj");
        let _ = find(b"(? not Latin-1) Tj");
    }
}
