//! Several entries in one message to another member: `count ‖ (length ‖ entry)*`, numbers big-endian.

use ledger::block::MAX_ENTRY;

/// The longest message of entries, bytes: far below what the network carries.
pub(crate) const MAX_FRAME: usize = 256 * 1024;

/// Messages of at most [`MAX_FRAME`] bytes with all entries that fit into one at all.
pub(crate) fn frames(entries: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
    let mut out: Vec<(u32, Vec<u8>)> = Vec::new();
    let entries = entries.iter().map(AsRef::as_ref);
    for entry in entries.filter(|entry| (1..=MAX_ENTRY).contains(&entry.len())) {
        let fits = out.last().is_some_and(|(_, frame)| frame.len() + 4 + entry.len() <= MAX_FRAME);
        if !fits {
            out.push((0, vec![0; 4]));
        }
        let (count, frame) = out.last_mut().expect("because one was pushed");
        *count += 1;
        frame.extend_from_slice(&u32::try_from(entry.len()).unwrap_or(u32::MAX).to_be_bytes());
        frame.extend_from_slice(entry);
    }
    for (count, frame) in &mut out {
        frame[..4].copy_from_slice(&count.to_be_bytes());
    }
    out.into_iter().map(|(_, frame)| frame).collect()
}

/// Reads one message; nothing when it is none. Foreign bytes.
pub(crate) fn entries(frame: &[u8]) -> Option<Vec<Vec<u8>>> {
    if frame.len() > MAX_FRAME {
        return None;
    }
    let (count, mut rest) = number(frame)?;
    // a count is only a claim until the bytes are there
    let mut out = Vec::with_capacity(count.min(rest.len() / 5));
    for _ in 0..count {
        let (length, behind) = number(rest)?;
        if !(1..=MAX_ENTRY).contains(&length) {
            return None;
        }
        let (entry, behind) = behind.split_at_checked(length)?;
        out.push(entry.to_vec());
        rest = behind;
    }
    (rest.is_empty() && !out.is_empty()).then_some(out)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, behind) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*number) as usize, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_in_bounded_messages() {
        let many: Vec<Vec<u8>> =
            (0..300u32).map(|at| vec![at as u8; 1 + at as usize * 9]).collect();
        let frames = frames(&many);
        assert!(frames.len() > 1 && frames.iter().all(|frame| frame.len() <= MAX_FRAME));
        let read: Vec<Vec<u8>> = frames.iter().flat_map(|frame| entries(frame).unwrap()).collect();
        assert_eq!(read, many);
    }

    #[test]
    fn what_is_no_entry_is_not_sent() {
        assert!(frames(&[Vec::new(), vec![0; MAX_ENTRY + 1]]).is_empty());
    }

    #[test]
    fn garbage_is_no_message() {
        let good = frames(&[b"one".to_vec(), b"two".to_vec()]).remove(0);
        for at in 0..good.len() {
            assert!(entries(&good[..at]).is_none(), "cut at {at}");
        }
        assert!(entries(&[good.clone(), vec![0]].concat()).is_none(), "bytes behind");
        assert!(entries(&u32::MAX.to_be_bytes()).is_none(), "a claimed count");
        assert!(entries(&0u32.to_be_bytes()).is_none(), "none");
        assert!(entries(&[0, 0, 0, 1, 0, 0, 0, 0]).is_none(), "an empty entry");
        assert!(entries(&vec![0; MAX_FRAME + 1]).is_none());
    }
}
