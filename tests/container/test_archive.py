"""Archives from elsewhere, some of them hostile."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.container.archive import ArchiveLimits, OpenModel, digest_model, extract_model
from planner.errors import ModelArchiveError

SCRIPT = "inference.py"


def member(name: str, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def pack(path: Path, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> Path:
    """A model.tar.gz with a good inference.py first and these after it."""
    with tarfile.open(path, "w:gz") as tar:
        for entry in ((member(SCRIPT), b"# functions"), *members):
            info, content = entry if isinstance(entry, tuple) else (entry, b"")
            if content:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


HOSTILE = {
    "goes up": (member("../escaped"), b"x"),
    "goes up inside": (member("code/../../escaped"), b"x"),
    "absolute": (member("/tmp/escaped"), b"x"),
    "link to a file outside": member("link", type=tarfile.SYMTYPE, linkname="../escaped"),
    "absolute link": member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "link to nowhere": member("link", type=tarfile.SYMTYPE, linkname="nowhere"),
    "link to itself": member("link", type=tarfile.SYMTYPE, linkname="link"),
    "hard link outside": member("link", type=tarfile.LNKTYPE, linkname="../../etc/passwd"),
    "absolute hard link": member("link", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "hard link to nothing": member("link", type=tarfile.LNKTYPE, linkname="nothing"),
    "character device": member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "block device": member("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
    "pipe": member("pipe", type=tarfile.FIFOTYPE),
    "file in place of a directory": (member(f"{SCRIPT}/below"), b"x"),
}


@pytest.mark.parametrize("entry", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_refused_and_nothing_of_it_is_left(
    entry: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], tmp_path: Path, scratch: Path
) -> None:
    archive = pack(tmp_path / "model.tar.gz", entry)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelArchiveError, match=r"model\.tar\.gz"):
        OpenModel(archive)
    assert not list(scratch.iterdir())
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/escaped").exists()


def test_a_file_behind_a_link_is_not_written_through_it(tmp_path: Path, scratch: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = pack(
        tmp_path / "model.tar.gz",
        member("door", type=tarfile.SYMTYPE, linkname=str(outside)),
        (member("door/planted"), b"x"),
    )
    with pytest.raises(ModelArchiveError):
        OpenModel(archive)
    assert not list(outside.iterdir())
    assert not list(scratch.iterdir())


def test_a_link_behind_a_link_is_refused_before_it_is_made(tmp_path: Path, scratch: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = pack(
        tmp_path / "model.tar.gz",
        member("door", type=tarfile.SYMTYPE, linkname=str(outside)),
        member("door/planted", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    )
    with pytest.raises(ModelArchiveError, match="behind another link"):
        OpenModel(archive)
    assert not list(outside.iterdir())
    assert not list(scratch.iterdir())


def test_a_bomb_is_refused_by_the_size_it_claims_before_it_is_written(tmp_path: Path, scratch: Path) -> None:
    """Zeros pack a thousandfold: what counts is the size that each header claims, since so much would be written."""
    archive = tmp_path / "model.tar.gz"
    claimed = member("zeros")
    claimed.size = 2**50
    with gzip.open(archive, "wb") as packed:
        packed.write(claimed.tobuf() + b"\0" * 2**20)
    with pytest.raises(ModelArchiveError, match="there is room for"):
        OpenModel(archive)
    assert not list(scratch.iterdir())


def test_a_bomb_of_many_small_files_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "model.tar.gz", *(member(f"file-{number}") for number in range(20)))
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelArchiveError, match="more than 20 members"):
        extract_model(archive, tmp_path / "out", ArchiveLimits(members=20))
    extract_model(archive, tmp_path / "out", ArchiveLimits(members=21))


def test_total_size_counts_all_files(tmp_path: Path) -> None:
    archive = pack(tmp_path / "model.tar.gz", *((member(f"file-{n}"), b"x" * 1000) for n in range(4)))
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelArchiveError, match=r"3\.91 KiB"):
        extract_model(archive, tmp_path / "out", ArchiveLimits(total_bytes=4000))
    extract_model(archive, tmp_path / "out", ArchiveLimits(total_bytes=4011))


def test_a_bomb_in_a_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """tarfile reads an extended header whole, whatever size it claims: that memory would be ours."""
    archive = tmp_path / "model.tar.gz"
    header = member("long", type=tarfile.GNUTYPE_LONGNAME)
    header.size = 8 * 2**20
    with gzip.open(archive, "wb", compresslevel=1) as packed:
        packed.write(header.tobuf() + b"a" * header.size)
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelArchiveError, match="4 MiB"):
        extract_model(archive, tmp_path / "out")


def test_what_is_not_a_whole_gzipped_tar_is_refused_and_says_how_to_make_one(tmp_path: Path, scratch: Path) -> None:
    good = pack(tmp_path / "good.tar.gz", (member("weights"), os.urandom(100_000))).read_bytes()
    path = tmp_path / "model.tar.gz"
    for content in (b"", b"not an archive", good[: len(good) // 2], gzip.compress(b"not a tar" * 200), good[:-3000]):
        path.write_bytes(content)
        with pytest.raises(ModelArchiveError, match=r"model\.tar\.gz"):
            OpenModel(path)
    with tarfile.open(path, "w") as plain:
        plain.add(tmp_path / "good.tar.gz", SCRIPT)
    with pytest.raises(ModelArchiveError, match="tar -czf"):
        OpenModel(path)
    assert not list(scratch.iterdir())


def test_links_inside_are_kept(tmp_path: Path) -> None:
    archive = pack(
        tmp_path / "model.tar.gz",
        member("latest", type=tarfile.SYMTYPE, linkname="versions"),
        member("versions", type=tarfile.DIRTYPE),
        (member("versions/weights"), b"weights"),
        member("copy", type=tarfile.LNKTYPE, linkname="versions/weights"),
    )
    model = OpenModel(archive)
    assert (model.folder / "latest" / "weights").read_bytes() == b"weights"
    assert (model.folder / "copy").read_bytes() == b"weights"
    model.close()
    assert not model.folder.exists()


def test_owners_and_modes_of_the_archive_are_not_taken_over(tmp_path: Path) -> None:
    archive = pack(tmp_path / "model.tar.gz", (member("tool", mode=0o4777, uid=12345), b"x"))
    (tmp_path / "out").mkdir()
    extract_model(archive, tmp_path / "out")
    status = (tmp_path / "out" / "tool").stat()
    assert status.st_mode & 0o7022 == 0
    assert status.st_uid == os.getuid()


def test_the_code_folder_of_aws_goes_before_the_top_level(tmp_path: Path) -> None:
    (tmp_path / SCRIPT).write_text("# top")
    assert OpenModel(tmp_path).script == tmp_path / SCRIPT
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / SCRIPT).write_text("# code")
    assert OpenModel(tmp_path).script == tmp_path / "code" / SCRIPT


def test_a_pipe_in_a_model_directory_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    (tmp_path / SCRIPT).write_text("# functions")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelArchiveError, match="pipe"):
        OpenModel(tmp_path)


def test_a_directory_and_its_archive_have_the_same_digest(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / SCRIPT).write_text("# functions")
    (folder / "weights").write_bytes(b"weights")
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, ".")
    directory, extracted = OpenModel(folder), OpenModel(archive)
    assert directory.digest == extracted.digest
    assert directory.digest.startswith("sha256:")
    extracted.close()


FILES = st.dictionaries(st.sampled_from(["a", "b", "c", "d/a", "d/b"]), st.binary(max_size=8), min_size=1)


@given(files=FILES, seed=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_digest_is_of_names_and_contents_alone(
    files: dict[str, bytes], seed: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    digests = []
    for mtime in (0, 10**9):
        folder = tmp_path_factory.mktemp("model")
        for name in sorted(files, reverse=bool(mtime)):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(files[name])
            path.chmod(0o600 if mtime else 0o644)
            os.utime(path, (mtime, mtime))
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / f"{mtime}.pyc").write_bytes(b"byte code")
        digests.append(digest_model(folder))
    assert digests[0] == digests[1]
    name = next(iter(files))
    (folder / name).write_bytes(files[name] + b"!")
    assert digest_model(folder) != digests[0]
    (folder / name).write_bytes(files[name])
    (folder / name).rename(folder / "renamed")
    assert digest_model(folder) != digests[0]


PARTS = st.lists(st.sampled_from(["a", "b", "..", ".", ""]), min_size=1, max_size=4).map("/".join)
MEMBERS = st.tuples(PARTS, st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]), PARTS)


@given(members=st.lists(MEMBERS, max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_an_archive_holds_nothing_leaves_its_folder(
    members: list[tuple[str, bytes, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("top")
    folder = top / "inside" / "model"
    folder.mkdir(parents=True)
    archive = pack(
        top / "model.tar.gz",
        *(
            (member(name, type=kind), b"x") if kind == tarfile.REGTYPE else member(name, type=kind, linkname=target)
            for name, kind, target in members
        ),
    )
    try:
        extract_model(archive, folder)
    except ModelArchiveError:
        pass
    else:
        assert all(path.resolve().is_relative_to(folder) for path in folder.rglob("*"))
    assert sorted(path.name for path in top.iterdir()) == ["inside", "model.tar.gz"]
    assert [path.name for path in (top / "inside").iterdir()] == ["model"]
