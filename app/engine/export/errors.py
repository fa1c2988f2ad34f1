"""What may go wrong with an export."""

from app.domain.errors import OperationalError


class ConverterMissing(OperationalError):
    """The program that writes a format is not installed."""

    code = "export.converter_missing"
    message_template = "Writing {format} needs the program qemu-img, which is not installed."
    hint_template = "Install qemu-utils (on Windows: QEMU), or export to raw, which needs nothing."


class ExportFailed(OperationalError):
    """A file could not be written."""

    code = "export.failed"
    message_template = "{file} could not be written: {detail}."
    hint_template = "Check the free space and the rights of the folder, then export again."
    retryable = True


class ExportUnderWay(OperationalError):
    """Another export writes the same file right now."""

    code = "export.under_way"
    message_template = "{file} is being written by another export right now."
    hint_template = "Wait until that export has ended, or choose another folder."


class ExportExists(OperationalError):
    """A file of that name is there already."""

    code = "export.exists"
    message_template = "{file} is there already."
    hint_template = "Choose another folder, or remove the file first; nothing is overwritten."
