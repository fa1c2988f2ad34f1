"""What can be wrong with the file of a configuration, and with taking a standby over."""

from app.domain.errors import OperationalError


class ConfigurationForeign(OperationalError):
    """The file is no configuration of this program."""

    code = "moving.foreign"
    message_template = "The file is no exported configuration of Standfast."
    hint_template = "Choose the file that was written by Export configuration."


class ConfigurationDamaged(OperationalError):
    """The file is not what was written."""

    code = "moving.damaged"
    message_template = "The file of the configuration is damaged or not whole; nothing was imported."
    hint_template = "Copy it again from where it was made, or export the configuration once more."


class ConfigurationTooNew(OperationalError):
    """A newer version of the program wrote the file."""

    code = "moving.too_new"
    message_template = "The file has version {version}, of a newer program; this one reads up to version {newest}."
    hint_template = "Install the current version of the program on this machine, then import the file."


class ConfigurationTooLarge(OperationalError):
    """The file is larger than any that is read."""

    code = "moving.too_large"
    message_template = "The file has {size_bytes} bytes; a configuration has at most {most_bytes}."
    hint_template = "Choose the file that was written by Export configuration, or export fewer rules."


class ConfigurationPassphraseWrong(OperationalError):
    """The passphrase does not open the secrets."""

    code = "moving.passphrase_wrong"
    message_template = "The passphrase does not open the secrets in the file; nothing was imported."
    hint_template = "Type the passphrase of the export, or import without secrets and enter the passwords again."


class ConfigurationWithoutSecrets(OperationalError):
    """A passphrase was typed, and the file has nothing that it could open."""

    code = "moving.without_secrets"
    message_template = (
        "The file holds no passwords or keys, so that the passphrase opens nothing; nothing was imported."
    )
    hint_template = (
        "Import it without the passphrase if it was exported without one. If not, someone has changed it: "
        "use the file as it was exported."
    )


class ConfigurationChanged(OperationalError):
    """What is not sealed was changed by someone without the passphrase."""

    code = "moving.changed"
    message_template = "The file was changed after it was exported; nothing was imported."
    hint_template = (
        "Someone may have wanted your passwords to go elsewhere. Use the file as it was exported, or export again."
    )


class ImportOutdated(OperationalError):
    """What is there is not what was compared with the file."""

    code = "moving.outdated"
    message_template = "{name} was changed here since the file was compared; nothing was imported."
    hint_template = "Look at the comparison again, then import."


class ImportRefused(OperationalError):
    """The operator chose what is not possible."""

    code = "moving.refused"
    message_template = "{name} cannot be imported like this; nothing was imported."
    hint_template = "Look at the comparison again, and choose one of the ways that it offers."


class ImportUnknownItem(OperationalError):
    """The operator chose something that is not in the file."""

    code = "moving.unknown_item"
    message_template = "The file holds nothing of the name or key {name}; nothing was imported."
    hint_template = "Compare the file again; it may have been replaced."


class ConsoleNotThere(OperationalError):
    """The rules of a console are to be taken over that has none at the standby."""

    code = "moving.console_not_there"
    message_template = "The standby machine {standby} holds no rules of that console."
    hint_template = "Look again at what the standby machine holds; its restore points can be restored in any case."


class TakeOverNotConfirmed(OperationalError):
    """What was typed is not the name of the console that is taken over."""

    code = "moving.not_confirmed"
    message_template = "What was typed is not {name}; nothing was taken over."
    hint_template = "Make sure that the old workstation is gone or switched off, then type its name."


class PlatformsMissing(OperationalError):
    """Rules are to be adopted whose platforms are not registered here."""

    code = "moving.platforms_missing"
    message_template = "The rule {rule} needs the virtual platform {address}, which is not registered here."
    hint_template = "Register it under Virtual platforms, then take over."
