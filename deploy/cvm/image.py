#!/usr/bin/env python3
"""Builds what a confidential VM of KONFIDO boots besides its kernel, the same bytes each time.

  image.py build --init INIT --konfido KONFIDO --config konfido.toml --out DIR
      DIR/root.img   ext4 with two programs and one file, and its dm-verity tree behind it
      DIR/cmdline    the kernel's command line: it holds the root hash, so it vouches for root.img
      DIR/sums.txt   SHA-256 of all of it
  image.py check --image root.img --cmdline cmdline
      reads every block as the kernel's dm-verity would, and says which one was changed

Needs Python and e2fsprogs (mke2fs, debugfs); no root, no loop device.
"""

import argparse
import hashlib
import os
import pathlib
import subprocess
import sys

BLOCK = 4096
DIGEST = 32
# anything, as long as it stays: what is built twice must be the same twice
EPOCH = "1767225600"
UUID = "6b6f6e66-6964-6f20-6376-6d20726f6f74"
SALT = hashlib.sha256(b"konfido cvm root").digest()
FOLDERS = ["dev", "proc", "sys", "run", "tmp", "state", "etc"]
# nothing runs but /init; the vault's pages stay out of core dumps and out of swap; root in the VM
# does not write into processes (docs: admin-guide/kernel-parameters, device-mapper/dm-init)
CMDLINE = (
    "console=hvc0 ro root=/dev/dm-0 rootwait rootfstype=ext4 init=/init panic=-1 "
    "proc_mem.force_override=never lockdown=confidentiality random.trust_cpu=on ip=dhcp "
    'dm-mod.waitfor=/dev/vda dm-mod.create="root,,,ro,0 {sectors} verity 1 /dev/vda /dev/vda '
    '{block} {block} {blocks} {blocks} sha256 {root} {salt} 1 panic_on_corruption"'
)


def tool(name: str, *arguments: str, text: str = "") -> str:
    env = dict(os.environ, E2FSPROGS_FAKE_TIME=EPOCH, LC_ALL="C", TZ="UTC")
    env["PATH"] += ":/usr/sbin:/sbin"
    done = subprocess.run([name, *arguments], input=text, env=env, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    return done.stdout + done.stderr


def filesystem(image: pathlib.Path, files: dict) -> None:
    """An ext4 of these files, in a fixed order, owned by root, all of one time."""
    size = sum(path.stat().st_size for path, _ in files.values())
    blocks = size * 21 // 20 // BLOCK + 512
    image.unlink(missing_ok=True)
    seed = f"hash_seed={UUID},root_owner=0:0,lazy_itable_init=0,nodiscard"
    tool("mke2fs", "-q", "-t", "ext4", "-b", str(BLOCK), "-O", "^has_journal,^metadata_csum,^resize_inode,^dir_index",
         "-m", "0", "-N", "64", "-U", UUID, "-L", "konfido", "-E", seed, str(image), str(blocks))
    lines = ["rmdir lost+found"]
    names = []
    for folder in FOLDERS:
        lines.append(f"mkdir {folder}")
        names.append((folder, 0o40755))
    for name, (path, mode) in files.items():
        # debugfs takes a name for the last argument, not a path
        folder, _, last = ("/" + name).rpartition("/")
        lines += [f"cd {folder or '/'}", f"write {path.resolve()} {last}", "cd /"]
        names.append((name, 0o100000 | mode))
    for name, mode in names:
        lines.append(f"sif {name} mode 0{mode:o}")
        for field, value in [("uid", 0), ("gid", 0), ("generation", 0)]:
            lines.append(f"sif {name} {field} {value}")
    for name in ["/"] + [name for name, _ in names]:
        for field in ["atime", "ctime", "mtime", "crtime"]:
            lines += [f"sif {name} {field} @{EPOCH}", f"sif {name} {field}_extra 0"]
    said = tool("debugfs", "-w", "-f", "-", str(image), text="\n".join(lines) + "\n")
    quiet = ("debugfs", "Allocated")
    wrong = [line for line in said.splitlines() if line.strip() and not line.startswith(quiet)]
    if wrong:
        raise SystemExit("debugfs: " + "\n".join(wrong))


def hashed(block: bytes) -> bytes:
    return hashlib.sha256(SALT + block.ljust(BLOCK, b"\0")).digest()


def tree(data: bytes) -> tuple:
    """(root hash, hash blocks): dm-verity format 1, the top level first
    (kernel: Documentation/admin-guide/device-mapper/verity.rst)."""
    levels = []
    level = data
    while len(level) > BLOCK or not levels:
        blocks = [level[at : at + BLOCK] for at in range(0, len(level), BLOCK)]
        digests = b"".join(map(hashed, blocks))
        level = digests.ljust(-(-len(digests) // BLOCK) * BLOCK, b"\0")
        levels.append(level)
    return hashed(level), b"".join(reversed(levels))


def build(options) -> None:
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    image = out / "root.img"
    filesystem(
        image,
        {
            "init": (options.init, 0o755),
            "konfido": (options.konfido, 0o755),
            "etc/konfido.toml": (options.config, 0o644),
        },
    )
    data = image.read_bytes()
    root, hashes = tree(data)
    image.write_bytes(data + hashes)
    blocks = len(data) // BLOCK
    cmdline = CMDLINE.format(
        sectors=len(data) // 512, block=BLOCK, blocks=blocks, root=root.hex(), salt=SALT.hex()
    )
    # no line break: it would be measured
    (out / "cmdline").write_text(cmdline)
    sums = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in ["root.img", "cmdline"]}
    (out / "sums.txt").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    print(f"root hash {root.hex()}, {blocks} blocks")


def check(options) -> None:
    """The hash of each block against the tree, and of the tree up to the command line."""
    words = options.cmdline.read_text().split()
    at = words.index("verity")
    blocks, root, salt = int(words[at + 6]), words[at + 9], words[at + 10]
    image = options.image.read_bytes()
    data, hashes = image[: blocks * BLOCK], image[blocks * BLOCK :]
    found, expected = tree(data)
    if salt != SALT.hex():
        raise SystemExit("the command line is for another salt")
    if found.hex() != root:
        size = -(-blocks * DIGEST // BLOCK) * BLOCK
        leaves, wanted = expected[-size:], hashes[-size:]
        bad = [n for n in range(blocks) if leaves[n * DIGEST :][:DIGEST] != wanted[n * DIGEST :][:DIGEST]]
        raise SystemExit(f"not the image of this command line; blocks changed: {bad[:8]}")
    if hashes != expected:
        raise SystemExit("the hash tree was changed")
    print(f"sound: {blocks} blocks below {root}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    path = pathlib.Path
    one = commands.add_parser("build")
    for name in ["init", "konfido", "config", "out"]:
        one.add_argument(f"--{name}", type=path, required=True)
    one.set_defaults(run=build)
    two = commands.add_parser("check")
    two.add_argument("--image", type=path, required=True)
    two.add_argument("--cmdline", type=path, required=True)
    two.set_defaults(run=check)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    sys.exit(main())
