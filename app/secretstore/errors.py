"""What can be wrong with a place for passwords, beyond that there is none."""

from app.core.secrets import SecretStoreUnavailable


class PassphraseMissing(SecretStoreUnavailable):
    """The encrypted file was chosen but no one gave its passphrase."""

    code = "secrets.passphrase_missing"
    message_template = "The encrypted password file {path} needs a passphrase, and none was given."
    hint_template = "Set the environment variable {variable} for this program, or start it where it can ask."


class PassphraseTooShort(SecretStoreUnavailable):
    """A new file was to be made with a passphrase that can be guessed."""

    code = "secrets.passphrase_too_short"
    message_template = "The passphrase for {path} is too short."
    hint_template = "Choose one of at least {shortest} characters."


class PassphraseRefused(SecretStoreUnavailable):
    """The passphrase is not the one the file was made with."""

    code = "secrets.passphrase_refused"
    message_template = "The passphrase does not open the encrypted password file {path}."
    hint_template = (
        "Give the passphrase it was made with. If it is lost, remove the file and enter the passwords again."
    )


class SecretFileDamaged(SecretStoreUnavailable):
    """The file is not what was written."""

    code = "secrets.file_damaged"
    message_template = "The encrypted password file {path} is damaged: {detail}."
    hint_template = "Bring it back from a copy, or remove it and enter the passwords again."


class SecretFileTooNew(SecretStoreUnavailable):
    """A newer version of the program wrote the file."""

    code = "secrets.file_too_new"
    message_template = "The encrypted password file {path} has format {format}; this version knows up to {newest}."
    hint_template = "Use the newer version of the program that wrote it."
