#!/usr/bin/env python3
"""What of this recipe runs without a confidential machine. Say `--init FILE` with a static
konfido-init to try that as well (as root: it gets namespaces of its own)."""

import ctypes
import ctypes.util
import hashlib
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from contextlib import redirect_stdout
from types import SimpleNamespace

import image
import measure

HERE = pathlib.Path(__file__).parent
SAMPLES = pathlib.Path(os.environ.get("KONFIDO_SAMPLES", HERE / "../../../shared/samples"))
INIT = None


class Verity(ctypes.Structure):
    """crypt_params_verity of libcryptsetup 2."""

    _fields_ = [
        ("hash_name", ctypes.c_char_p), ("data_device", ctypes.c_char_p),
        ("hash_device", ctypes.c_char_p), ("fec_device", ctypes.c_char_p),
        ("salt", ctypes.c_char_p), ("salt_size", ctypes.c_uint32),
        ("hash_type", ctypes.c_uint32), ("data_block_size", ctypes.c_uint32),
        ("hash_block_size", ctypes.c_uint32), ("data_size", ctypes.c_uint64),
        ("hash_area_offset", ctypes.c_uint64), ("fec_area_offset", ctypes.c_uint64),
        ("fec_roots", ctypes.c_uint32), ("flags", ctypes.c_uint32),
    ]  # fmt: skip


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        for name, size in [("init", 5_000), ("konfido", 3_000_000), ("konfido.toml", 700)]:
            (cls.path / name).write_bytes(bytes(n * 7 % 251 for n in range(size)))
        cls.a = cls.build("a")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def build(cls, name):
        files = {key: cls.path / f for key, f in [("init", "init"), ("konfido", "konfido"), ("config", "konfido.toml")]}
        out = cls.path / name
        with redirect_stdout(io.StringIO()):
            image.build(SimpleNamespace(out=out, **files))
        return out

    def verdict(self, data):
        path = self.path / "changed.img"
        path.write_bytes(data)
        with redirect_stdout(io.StringIO()) as said:
            try:
                image.check(SimpleNamespace(image=path, cmdline=self.a / "cmdline"))
            except SystemExit as error:
                return str(error)
        return said.getvalue()

    def blocks(self):
        words = (self.a / "cmdline").read_text().split()
        return int(words[words.index("verity") + 6])

    def test_what_is_built_twice_is_the_same_twice(self):
        time.sleep(1.1)
        for path in self.path.glob("konfido*"):
            os.utime(path)
        b = self.build("b")
        for name in ["root.img", "cmdline", "sums.txt"]:
            self.assertEqual((self.a / name).read_bytes(), (b / name).read_bytes(), name)

    def test_the_file_system_is_sound(self):
        done = subprocess.run(["/sbin/e2fsck", "-fn", self.a / "root.img"], capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_changed_byte_is_found_and_its_block_named(self):
        good = (self.a / "root.img").read_bytes()
        self.assertTrue(self.verdict(good).startswith("sound"))
        for block in [0, 100, self.blocks() - 1]:
            bad = bytearray(good)
            bad[block * image.BLOCK + 77] ^= 1
            self.assertIn(f"blocks changed: [{block}]", self.verdict(bytes(bad)))
        bad = bytearray(good)
        bad[-1] ^= 1
        self.assertIn("hash tree", self.verdict(bytes(bad)))

    def test_another_program_gives_another_command_line(self):
        (self.path / "init").write_bytes(b"another")
        other = self.build("other")
        (self.path / "init").write_bytes(bytes(n * 7 % 251 for n in range(5_000)))
        self.assertNotEqual((self.a / "cmdline").read_text(), (other / "cmdline").read_text())

    def test_libcryptsetup_makes_the_same_tree(self):
        name = ctypes.util.find_library("cryptsetup")
        if not name:
            self.skipTest("skipped: no libcryptsetup")
        library = ctypes.CDLL(name)
        built = (self.a / "root.img").read_bytes()
        at = self.blocks() * image.BLOCK
        data, hashes = self.path / "data", self.path / "hashes"
        data.write_bytes(built[:at])
        hashes.write_bytes(b"")
        device = ctypes.c_void_p()
        self.assertEqual(library.crypt_init(ctypes.byref(device), str(hashes).encode()), 0)
        no_header, create_hash = 1, 4
        params = Verity(b"sha256", str(data).encode(), str(hashes).encode(), None, image.SALT, 32, 1,
                        image.BLOCK, image.BLOCK, self.blocks(), 0, 0, 0, no_header | create_hash)
        done = library.crypt_format(device, b"VERITY", None, None, None, None, ctypes.c_size_t(0), ctypes.byref(params))
        self.assertEqual(done, 0)
        root, size = ctypes.create_string_buffer(32), ctypes.c_size_t(32)
        done = library.crypt_volume_key_get(device, -1, root, ctypes.byref(size), None, ctypes.c_size_t(0))
        self.assertEqual(done, 0)
        library.crypt_free(device)
        self.assertIn(root.raw.hex(), (self.a / "cmdline").read_text())
        self.assertEqual(hashes.read_bytes(), built[at:])


class Measurements(unittest.TestCase):
    """A real machine's log against its real quote (go-tdx-guest, COS 113)."""

    def sample(self, name):
        path = SAMPLES / "attestation/intel/go-tdx-guest" / name
        if not path.exists():
            self.skipTest("skipped: no samples")
        return path

    def test_a_real_log_gives_the_registers_of_its_quote(self):
        log = self.sample("ccel-ccel_data.dat").read_bytes()
        quote = measure.quoted(self.sample("ccel-cos-113-tdx-quote.dat").read_bytes())
        self.assertEqual(measure.replay(log), {name: quote[name] for name in measure.RTMRS})
        changed = log.replace(b"Exit Boot", b"exit Boot", 1)
        self.assertEqual(measure.replay(changed), measure.replay(log), "data is not what is extended")
        _, _, digest, _ = list(measure.events(log))[-1]
        self.assertNotEqual(measure.replay(log.replace(digest, bytes(48))), measure.replay(log))

    def test_what_was_not_measured_is_said(self):
        log, quote = self.sample("ccel-ccel_data.dat"), self.sample("ccel-cos-113-tdx-quote.dat")
        register, _, digest, _ = list(measure.events(log.read_bytes()))[-1]
        name = measure.RTMRS[register - 1]
        for wanted, code in [(digest.hex(), 0), ("00" * 48, 1)]:
            with tempfile.NamedTemporaryFile("w") as file, redirect_stdout(io.StringIO()) as said:
                json.dump({name: {"kernel": wanted}}, file)
                file.flush()
                options = SimpleNamespace(log=log, quote=quote, expect=pathlib.Path(file.name))
                self.assertEqual(measure.check_replay(options), code)
            self.assertIn("NOT MEASURED" if code else "kernel: measured", said.getvalue())

    def test_the_launch_digest_hangs_on_kernel_and_command_line(self):
        try:
            import sevsnpmeasure  # noqa: F401
        except ImportError:
            self.skipTest(f"skipped: no sev-snp-measure {measure.SNP_MEASURE}")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "fd").write_bytes(no_firmware())
            digests = set()
            for kernel, cmdline, vcpus in [(b"k", "c", 1), (b"K", "c", 1), (b"k", "C", 1), (b"k", "c", 2)]:
                (path / "k").write_bytes(kernel)
                (path / "c").write_text(cmdline)
                options = SimpleNamespace(firmware=path / "fd", kernel=path / "k", cmdline=path / "c",
                                          vcpus=vcpus, cpu="EPYC-Genoa", features=1)
                with redirect_stdout(io.StringIO()) as said:
                    self.assertEqual(measure.snp(options), 0)
                digests.add(said.getvalue())
            self.assertEqual(len(digests), 4)


class Firmware(unittest.TestCase):
    """No real firmware is here; what is looked at is what is measured, and what is not."""

    def test_mrtd_is_of_the_pages_that_are_measured(self):
        good = no_firmware()
        digest = measure.mrtd(good, False)
        for at, same in [(0x1010, False), (0x2010, False), (0x3010, True)]:
            changed = bytearray(good)
            changed[at] ^= 1
            self.assertEqual(measure.mrtd(bytes(changed), False) == digest, same, hex(at))
        self.assertNotEqual(measure.mrtd(good, True), digest)

    def test_mrtd_of_one_page_is_what_the_module_s_description_says(self):
        # one page that is added and measured: one record, then sixteen of 128 + 256 bytes
        firmware = no_firmware(sections=[(0x1000, 4096, 0xFFFFD000, 4096, 0, 1)])
        expected = hashlib.sha384(b"MEM.PAGE.ADD" + bytes(4) + (0xFFFFD000).to_bytes(8, "little") + bytes(104))
        for part in range(16):
            address = 0xFFFFD000 + 256 * part
            expected.update(b"MR.EXTEND" + bytes(7) + address.to_bytes(8, "little") + bytes(104))
            expected.update(firmware[0x1000 + 256 * part :][:256])
        self.assertEqual(measure.mrtd(firmware, False), expected.digest())

    def test_firmware_that_is_none_is_refused(self):
        for bad in [bytes(8192), no_firmware()[:-1], no_firmware(sections=[(0x1000, 4096, 7, 4096, 0, 1)])]:
            with self.assertRaises(SystemExit):
                measure.mrtd(bad, False)


# code that is measured, variables that are not, memory without content, memory that comes later
TD = [(0x1000, 8192, 0xFFFFD000, 8192, 0, 1), (0x3000, 4096, 0xFFFFC000, 4096, 1, 0),
      (0, 0, 0x809000, 8192, 2, 0), (0, 0, 0x80B000, 4096, 4, 2)]  # fmt: skip


def no_firmware(sections=TD) -> bytes:
    """Pages without code, with the tables by which tools find their way: no real firmware."""
    pages = bytearray(4 * 4096)
    guest = [(0x801000, 0x1000, 2), (0x802000, 0x1000, 3), (0x803000, 0x1000, 0x10)]
    meta = b"ASEV" + struct.pack("<III", 16 + 12 * len(guest), 1, len(guest))
    meta += b"".join(struct.pack("<III", *row) for row in guest)
    tdvf = b"TDVF" + struct.pack("<III", 16 + 32 * len(sections), 1, len(sections))
    tdvf += b"".join(struct.pack("<IIQQII", *row) for row in sections)
    pages[256 : 256 + len(tdvf)] = tdvf
    pages[: len(meta)] = meta
    def entry(guid, data):
        return data + struct.pack("<H", len(data) + 18) + uuid.UUID(guid).bytes_le
    table = entry("7255371f-3a3b-4b04-927b-1da6efa8d454", struct.pack("<II", 0x803000, 0x400))
    table += entry("00f771de-1a7e-4fcb-890e-68c77e2fb44e", struct.pack("<I", 0x80B004))
    table += entry("dc886566-984a-4798-a75e-5585a7bf67cc", struct.pack("<I", len(pages)))
    table += entry(measure.TDX_METADATA, struct.pack("<I", len(pages) - 256))
    table += struct.pack("<H", len(table) + 18) + uuid.UUID(measure.FOOTER).bytes_le
    pages[len(pages) - 32 - len(table) : len(pages) - 32] = table
    return bytes(pages)


class Init(unittest.TestCase):
    """In namespaces of its own; turning the machine off ends those, not this machine."""

    def setUp(self):
        if not INIT or os.geteuid() != 0 or os.path.exists("/dev/vdb"):
            self.skipTest("skipped: needs --init FILE, root, and no /dev/vdb")

    def test_only_the_kernel_starts_it(self):
        done = subprocess.run([INIT], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "konfido-init: only the kernel starts this\n"))

    def run_it(self, konfido):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in image.FOLDERS:
                (root / name).mkdir()
            (root / "init").write_bytes(pathlib.Path(INIT).read_bytes())
            (root / "init").chmod(0o755)
            if konfido:
                (root / "konfido").write_bytes(pathlib.Path(konfido).read_bytes())
                (root / "konfido").chmod(0o755)
            command = ["unshare", "--mount", "--pid", "--fork", "--net", "chroot", folder, "/init"]
            return subprocess.run(command, capture_output=True, text=True, timeout=60).stderr

    def test_it_says_what_is_missing_and_turns_the_machine_off(self):
        said = self.run_it(None)
        self.assertIn("No such file", said)
        self.assertNotIn("stays on", said)

    def test_it_ends_with_konfido(self):
        konfido = os.environ.get("KONFIDO_STATIC")
        if not konfido:
            self.skipTest("skipped: KONFIDO_STATIC is not set")
        said = self.run_it(konfido)
        self.assertIn("konfido ended", said)


if __name__ == "__main__":
    if "--init" in sys.argv:
        at = sys.argv.index("--init")
        INIT = sys.argv[at + 1]
        del sys.argv[at : at + 2]
    unittest.main()
