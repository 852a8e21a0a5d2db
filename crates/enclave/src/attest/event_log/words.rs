//! What an event says of itself, for people. Nothing here is proven, so nothing is decided by it.

use super::MAX_WORDS;

/// (type, TCG's name): TCG PC Client Platform Firmware Profile 1.06 §10.4.1.
static KINDS: &[(u32, &str)] = &[
    (0x0000_0004, "EV_SEPARATOR"),
    (0x0000_0005, "EV_ACTION"),
    (0x0000_0006, "EV_EVENT_TAG"),
    (0x0000_0008, "EV_S_CRTM_VERSION"),
    (0x0000_000a, "EV_PLATFORM_CONFIG_FLAGS"),
    (0x0000_000d, "EV_IPL"),
    (0x8000_0001, "EV_EFI_VARIABLE_DRIVER_CONFIG"),
    (0x8000_0002, "EV_EFI_VARIABLE_BOOT"),
    (0x8000_0003, "EV_EFI_BOOT_SERVICES_APPLICATION"),
    (0x8000_0004, "EV_EFI_BOOT_SERVICES_DRIVER"),
    (0x8000_0006, "EV_EFI_GPT_EVENT"),
    (0x8000_0007, "EV_EFI_ACTION"),
    (0x8000_0008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"),
    (0x8000_0009, "EV_EFI_HANDOFF_TABLES"),
    (0x8000_000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"),
    (0x8000_000b, "EV_EFI_HANDOFF_TABLES2"),
    (0x8000_000c, "EV_EFI_VARIABLE_BOOT2"),
    (0x8000_00e0, "EV_EFI_VARIABLE_AUTHORITY"),
];

pub(super) fn kind(number: u32) -> &'static str {
    KINDS.iter().find(|row| row.0 == number).map_or("an event of another type", |row| row.1)
}

/// Text where the data is text, the name of a UEFI variable, or nothing.
pub(super) fn says(kind: u32, data: &[u8]) -> String {
    let said = variable(kind, data).or_else(|| {
        let data = data.strip_suffix(&[0]).unwrap_or(data);
        let printable = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n' | b'\t');
        let text = !data.is_empty() && data.iter().all(printable);
        text.then(|| String::from_utf8_lossy(data).into_owned())
    });
    // a guest writes this, and people read it beside what they sign: nothing that turns a line round
    let flat = |c: char| match c {
        _ if c.is_ascii_graphic() => c,
        _ if c.is_ascii() => ' ',
        _ => '?',
    };
    said.unwrap_or_default().chars().take(MAX_WORDS).map(flat).collect()
}

/// `UEFI_VARIABLE_DATA`: GUID, length of the name in characters, length of the data, name.
fn variable(kind: u32, data: &[u8]) -> Option<String> {
    if !matches!(kind, 0x8000_0001 | 0x8000_0002 | 0x8000_000c | 0x8000_00e0) {
        return None;
    }
    let length = u64::from_le_bytes(data.get(16..24)?.try_into().ok()?);
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_WORDS)?;
    let name = data.get(32..32 + 2 * length)?;
    let units = name.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let name: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    Some(format!("variable {name}"))
}
