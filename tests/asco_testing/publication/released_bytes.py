"""What the bytes of a release say, archives and columnar files unpacked, for tests that look for a number."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet


def said(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder with all that it says as text: values, statistics, metadata, raw bytes."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            for inside, content in unpacked(path.name, path.read_bytes()):
                yield f"{path.relative_to(folder).as_posix()}:{inside}", text_of(content)


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """A file and, of an archive, every member by its name."""
    yield name, content
    if zipfile.is_zipfile(io.BytesIO(content)):  # also XLSX, whose cells may cache values
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from unpacked(member, archive.read(member))
    elif content[:2] == b"\x1f\x8b":
        yield from unpacked(f"{name} (unpacked)", gzip.decompress(content))


def text_of(content: bytes) -> str:
    """What a file says, one character a byte; of Parquet its values, statistics and metadata too."""
    raw = content.decode("latin-1")
    if content[:4] != b"PAR1":
        return raw
    file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
    values = "\n".join(str(column.to_pylist()) for column in file.read().columns)
    groups = (file.metadata.row_group(number).to_dict() for number in range(file.metadata.num_row_groups))
    return "\n".join((raw, values, *map(str, groups), str(file.metadata.metadata), str(file.schema_arrow)))
