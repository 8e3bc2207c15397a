"""The hashes on the page are those that stand in dvc.lock."""

from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

from stages.io.run_record import content_hashes


def test_files_and_folders_are_hashed_as_dvc_does_it(tmp_path):
    folder = tmp_path / "artifacts/stage/bars"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/B.txt").write_bytes(b"hello")
    (folder / "A.txt").write_bytes(b"")
    told = content_hashes([(folder / "A.txt").relative_to(tmp_path), folder.relative_to(tmp_path)], tmp_path)

    empty, hello = "d41d8cd98f00b204e9800998ecf8427e", "5d41402abc4b2a76b9719d911017c592"  # RFC 1321, md5sum
    tree = Tree()
    tree.add(("sub", "B.txt"), Meta(), HashInfo("md5", hello))
    tree.add(("A.txt",), Meta(), HashInfo("md5", empty))
    tree.digest()
    assert told == {"stage/bars/A.txt": empty, "stage/bars": tree.hash_info.value}
