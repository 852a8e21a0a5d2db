#!/usr/bin/env python3
"""What a verifier must find in evidence of the confidential VM, computed from the files it boots.

  measure.py expect --kernel bzImage --cmdline cmdline      digests of what TDX measures at boot
  measure.py replay --log ccel.bin [--quote quote.bin] [--expect expect.json]
                                                            RTMRs from a TD's event log (CCEL)
  measure.py mrtd --firmware OVMF.fd                        MRTD of a TD with this firmware
  measure.py snp --firmware OVMF.fd --kernel bzImage --cmdline cmdline --vcpus 2 --cpu EPYC-Genoa
                                                            launch digest of an SEV-SNP guest

Only `snp` needs more than Python: sev-snp-measure 0.0.12 (virtee, Apache-2.0).
"""

import argparse
import hashlib
import json
import pathlib
import struct
import sys
import uuid

SNP_MEASURE = "0.0.12"
RTMRS = ["rtmr0", "rtmr1", "rtmr2", "rtmr3"]
SHA384 = 0x000C
PAGE = 4096
MR_EXTEND, PAGE_AUG = 1, 2
FOOTER = "96b582de-1fb2-45f7-baea-a366c55a082d"
TDX_METADATA = "e47a6535-984a-4798-865e-4685a7bf8ec2"
EV_NO_ACTION = 3


def authenticode(image: bytes) -> bytes:
    """SHA-384 of a PE image as firmware measures it: without checksum and signatures
    (Microsoft, "Windows Authenticode Portable Executable Signature Format")."""
    pe = struct.unpack_from("<I", image, 0x3C)[0]
    if image[:2] != b"MZ" or image[pe : pe + 4] != b"PE\0\0":
        raise SystemExit("the kernel is no EFI image: CONFIG_EFI_STUB is missing")
    optional = pe + 24
    plus = struct.unpack_from("<H", image, optional)[0] == 0x20B
    checksum = optional + 64
    security = optional + (112 if plus else 96) + 4 * 8
    headers = struct.unpack_from("<I", image, optional + 60)[0]
    start, size = struct.unpack_from("<II", image, security)
    digest = hashlib.sha384()
    digest.update(image[:checksum])
    digest.update(image[checksum + 4 : security])
    digest.update(image[security + 8 : headers])
    count = struct.unpack_from("<H", image, pe + 6)[0]
    table = optional + struct.unpack_from("<H", image, pe + 20)[0]
    sections = [struct.unpack_from("<II", image, table + 40 * n + 16) for n in range(count)]
    hashed = headers
    for length, at in sorted(sections, key=lambda row: row[1]):
        digest.update(image[at : at + length])
        hashed += length
    rest = image[hashed : len(image) - size] if size else image[hashed:]
    digest.update(rest)
    return digest.digest()


def load_options(cmdline: str) -> bytes:
    """The command line as OVMF hands it to the kernel's EFI stub, which measures it."""
    return hashlib.sha384((cmdline + "\0").encode("utf-16-le")).digest()


def expect(kernel: bytes, cmdline: str) -> dict:
    return {
        "rtmr1": {"kernel": authenticode(kernel).hex()},
        "rtmr2": {"command line": load_options(cmdline).hex()},
    }


def events(log: bytes):
    """(register, type, SHA-384 digest, data) of each event of a TCG2 log, crypto-agile format."""
    at = 0
    register, kind, _, size = struct.unpack_from("<II20sI", log, at)
    header = log[at + 32 : at + 32 + size]
    if kind != EV_NO_ACTION or not header.startswith(b"Spec ID Event03\0"):
        raise SystemExit("not a crypto-agile event log")
    (algorithms,) = struct.unpack_from("<I", header, 24)
    sizes = dict(struct.unpack_from("<HH", header, 28 + 4 * n) for n in range(algorithms))
    at += 32 + size
    while at + 8 <= len(log):
        register, kind, count = struct.unpack_from("<III", log, at)
        # the table is longer than the log; what follows is filled with ones
        if register == 0xFFFFFFFF:
            return
        at += 12
        digest = None
        for _ in range(count):
            (algorithm,) = struct.unpack_from("<H", log, at)
            if algorithm not in sizes:
                raise SystemExit(f"event log: algorithm {algorithm:#x} at {at:#x}")
            if algorithm == SHA384:
                digest = log[at + 2 : at + 2 + 48]
            at += 2 + sizes[algorithm]
        (size,) = struct.unpack_from("<I", log, at)
        yield register, kind, digest, log[at + 4 : at + 4 + size]
        at += 4 + size


def replay(log: bytes) -> dict:
    """RTMRs: SHA-384 of what was there and the event's digest, from zeros. Register 0 is MRTD."""
    registers = [bytes(48)] * 4
    for register, kind, digest, _ in events(log):
        if kind != EV_NO_ACTION and 1 <= register <= 4:
            registers[register - 1] = hashlib.sha384(registers[register - 1] + digest).digest()
    return dict(zip(RTMRS, registers))


def quoted(quote: bytes) -> dict:
    """MRTD and RTMRs of a TDX quote, versions 4 and 5. The quote is read, not verified."""
    (version,) = struct.unpack_from("<H", quote, 0)
    if version not in (4, 5):
        raise SystemExit(f"a quote of version {version} is not one of TDX")
    body = 48 if version == 4 else 54
    out = {"mrtd": quote[body + 136 : body + 184]}
    for n, name in enumerate(RTMRS):
        out[name] = quote[body + 328 + 48 * n : body + 376 + 48 * n]
    return out


def check_replay(options) -> int:
    log = options.log.read_bytes()
    found = replay(log)
    bad = 0
    if options.quote:
        inside = quoted(options.quote.read_bytes())
        print(f"mrtd   {inside['mrtd'].hex()}")
        for name in RTMRS:
            same = found[name] == inside[name]
            bad += not same
            print(f"{name}  {found[name].hex()}  {'as quoted' if same else 'NOT AS QUOTED'}")
    else:
        for name in RTMRS:
            print(f"{name}  {found[name].hex()}")
    if options.expect:
        wanted = json.loads(options.expect.read_text())
        seen = {(register, digest) for register, _, digest, _ in events(log) if digest}
        for name, things in wanted.items():
            for thing, digest in things.items():
                there = (RTMRS.index(name) + 1, bytes.fromhex(digest)) in seen
                bad += not there
                print(f"{name}  {thing}: {'measured' if there else 'NOT MEASURED'}")
    return 1 if bad else 0


def tables(firmware: bytes) -> dict:
    """OVMF's table of GUIDs, which ends 32 bytes before the firmware does: each entry is its data,
    its length (2 bytes, with length and GUID) and its GUID."""
    end = len(firmware) - 32
    entries = {}
    (size,) = struct.unpack_from("<H", firmware, end - 18)
    if firmware[end - 16 : end] != uuid.UUID(FOOTER).bytes_le or not 18 <= size <= end:
        raise SystemExit("no OVMF: it has no table of GUIDs")
    at = end - 18
    while at > end - size:
        (length,) = struct.unpack_from("<H", firmware, at - 18)
        if not 18 <= length <= at - (end - size):
            raise SystemExit("the firmware's table of GUIDs is damaged")
        guid = str(uuid.UUID(bytes_le=firmware[at - 16 : at]))
        entries[guid] = firmware[at - length : at - 18]
        at -= length
    return entries


def sections(firmware: bytes):
    """(offset, guest address, size, attributes) of what the host loads into a new TD."""
    place = tables(firmware).get(TDX_METADATA)
    if place is None:
        raise SystemExit("this firmware is not built for TDX")
    at = len(firmware) - struct.unpack("<I", place)[0]
    signature, _, version, count = struct.unpack_from("<4sIII", firmware, at)
    if signature != b"TDVF" or version != 1:
        raise SystemExit("the firmware's description for TDX is damaged")
    for n in range(count):
        offset, raw, address, size, _, attributes = struct.unpack_from("<IIQQII", firmware, at + 16 + 32 * n)
        if address % PAGE or size % PAGE or raw > size or offset + raw > len(firmware):
            raise SystemExit(f"section {n} of the firmware is damaged")
        yield offset, address, size, attributes


def mrtd(firmware: bytes, two_passes: bool) -> bytes:
    """SHA-384 over one record for each page that is added (TDH.MEM.PAGE.ADD), and one with 256 bytes
    of content for each part of it that is measured (TDH.MR.EXTEND; Intel TDX module ABI)."""
    digest = hashlib.sha384()

    def record(name: bytes, address: int):
        digest.update(name.ljust(16, b"\0") + struct.pack("<Q", address) + bytes(104))

    def add(address: int, attributes: int):
        if not attributes & PAGE_AUG:
            record(b"MEM.PAGE.ADD", address)

    def extend(offset: int, address: int, attributes: int):
        for part in range(0, PAGE, 256) if attributes & MR_EXTEND else ():
            record(b"MR.EXTEND", address + part)
            digest.update(firmware[offset + part : offset + part + 256].ljust(256, b"\0"))

    for offset, address, size, attributes in sections(firmware):
        pages = [(offset + n, address + n, attributes) for n in range(0, size, PAGE)]
        for page in pages:
            add(*page[1:])
            if not two_passes:
                extend(*page)
        for page in pages if two_passes else ():
            extend(*page)
    return digest.digest()


def snp(options) -> int:
    try:
        from sevsnpmeasure import guest
        from sevsnpmeasure.sev_mode import SevMode
        from sevsnpmeasure.vcpu_types import CPU_SIGS
        from sevsnpmeasure.vmm_types import VMMType
    except ImportError:
        print(f"pip install sev-snp-measure=={SNP_MEASURE}", file=sys.stderr)
        return 2
    digest = guest.calc_launch_digest(
        SevMode.SEV_SNP,
        options.vcpus,
        CPU_SIGS[options.cpu],
        str(options.firmware),
        str(options.kernel),
        None,
        options.cmdline.read_text(),
        options.features,
        "",
        VMMType.QEMU,
    )
    print(digest.hex())
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    path = pathlib.Path
    one = commands.add_parser("expect")
    one.add_argument("--kernel", type=path, required=True)
    one.add_argument("--cmdline", type=path, required=True)
    two = commands.add_parser("replay")
    two.add_argument("--log", type=path, required=True)
    two.add_argument("--quote", type=path)
    two.add_argument("--expect", type=path)
    three = commands.add_parser("snp")
    three.add_argument("--firmware", type=path, required=True)
    three.add_argument("--kernel", type=path, required=True)
    three.add_argument("--cmdline", type=path, required=True)
    three.add_argument("--vcpus", type=int, required=True)
    three.add_argument("--cpu", required=True)
    four = commands.add_parser("mrtd")
    four.add_argument("--firmware", type=path, required=True)
    four.add_argument("--two-passes", action="store_true", help="the other order of hosts")
    three.add_argument("--features", type=lambda text: int(text, 0), default=0x1)
    options = parser.parse_args()
    if options.command == "expect":
        cmdline = options.cmdline.read_text()
        print(json.dumps(expect(options.kernel.read_bytes(), cmdline), indent=1))
        return 0
    if options.command == "mrtd":
        print(mrtd(options.firmware.read_bytes(), options.two_passes).hex())
        return 0
    return check_replay(options) if options.command == "replay" else snp(options)


if __name__ == "__main__":
    sys.exit(main())
