//! Backups of labs.

use app::ports::{FileKind, Queue};

use super::row::{ADMIN, CURSOR, LIMIT, MANAGER, OPERATION, Parameter, USER, handler, http};
use crate::endpoints as e;
use crate::function::{Function, Port, Zone};

const BACKUP_FILTER: &[Parameter] =
    &[("worker_id", "Only of this worker's labs."), ("lab_id", "Only of this lab."), LIMIT, CURSOR];
/// What every command needs whose operation is done at a controller.
const COMMAND: &[Port] = &[Port::Issuer, Port::Send(Queue::CmlOperations), Port::TableRead, Port::TableWrite];

pub(super) const ROWS: &[Function] = &[
    http(
        "back-up-lab",
        ("POST", "/api/workers/{worker_id}/labs/{lab_id}/backups"),
        "backups",
        USER,
        OPERATION,
        handler!(back_up_lab),
        "Save a lab with the configurations that run; users only their own.",
    )
    .ports(COMMAND),
    http(
        "restore-lab",
        ("POST", "/api/workers/{worker_id}/labs/restore"),
        "backups",
        MANAGER,
        OPERATION,
        handler!(restore_lab),
        "Make a lab of a backup, on the same worker or on another one.",
    )
    .body("RestoreLab")
    .ports(COMMAND),
    http(
        "list-backups",
        ("GET", "/api/backups"),
        "backups",
        USER,
        (200, Some("BackupList")),
        handler!(list_backups),
        "List backups, newest first.",
    )
    .query(BACKUP_FILTER),
    http(
        "get-backup",
        ("GET", "/api/backups/{backup_id}"),
        "backups",
        USER,
        (200, Some("Backup")),
        handler!(get_backup),
        "What is known of a backup.",
    ),
    http(
        "download-backup",
        ("GET", "/api/backups/{backup_id}/download"),
        "backups",
        USER,
        (200, None),
        handler!(download_backup),
        "The topology that was saved, in YAML, its checksum verified.",
    )
    .zone(Zone::Cml)
    .ports(&[Port::CredentialUse, Port::FilesRead(FileKind::Backup), Port::Issuer, Port::TableRead]),
    http(
        "delete-backup",
        ("DELETE", "/api/backups/{backup_id}"),
        "backups",
        ADMIN,
        (204, None),
        handler!(delete_backup),
        "Delete a backup and its file.",
    )
    .zone(Zone::Cml)
    .ports(&[Port::FilesDelete(FileKind::Backup), Port::Issuer, Port::TableRead, Port::TableWrite]),
];
