"""What is written to the operator's log about moving to another workstation."""

from app.domain.messages import MessageKind

CONFIGURATION_EXPORTED = MessageKind(
    "moving.exported", "The configuration was exported without passwords and keys: {rules} {rules:rule/rules}"
)
CONFIGURATION_EXPORTED_SEALED = MessageKind(
    "moving.exported_sealed",
    "The configuration was exported with {secrets} {secrets:password or key/passwords and keys}, sealed by a "
    "passphrase: {rules} {rules:rule/rules}",
)
CONFIGURATION_IMPORTED = MessageKind(
    "moving.imported",
    "A configuration of {host} was imported: {added} added, {replaced} replaced, {skipped} left as they were",
)
TAKEN_OVER = MessageKind(
    "moving.taken_over", "The rules of {host} were taken over; it does not write there any more: {rules}"
)
