"""Archives whose bytes follow from their content alone. Pure."""

import gzip
import io
import tarfile


def normalized(content: bytes, epoch: int) -> bytes:
    """Return a .tar.gz with the same files in the order of their names, owned by nobody, all of the time `epoch`.

    `epoch` is in seconds. Helm writes the time of packing into each file.
    """
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as source,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            member.mtime = epoch
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.pax_headers = {}
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
    return gzip.compress(packed.getvalue(), mtime=epoch)
