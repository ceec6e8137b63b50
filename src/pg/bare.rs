//! Postgres' own functions, without pgrx's boundary around each: it is put around several at a time, in closures that own
//! nothing that would have to be dropped.
//!
//! What must stay true: a declaration here is that of the Postgres that is built for. Each is held against pgrx's binding, which
//! is made from Postgres' headers, so that a major version that changes a function does not compile.

use pgrx::pg_sys::*;

/// The name of a relation's file; Postgres 16 renamed it.
#[cfg(feature = "pg15")]
pub(super) type FileId = RelFileNode;
/// The name of a relation's file.
#[cfg(not(feature = "pg15"))]
pub(super) type FileId = RelFileLocator;

/// Declares functions that pgrx binds, and holds each declaration against its binding.
macro_rules! as_pgrx_binds {
    ($($(#[$for_versions:meta])* fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $answer:ty)?;)+) => {
        #[allow(clashing_extern_declarations, reason = "as pgrx binds them, but without its boundary")]
        unsafe extern "C-unwind" {
            $($(#[$for_versions])* pub(super) fn $name($($argument: $kind),*) $(-> $answer)?;)+
        }

        $($(#[$for_versions])* const _: unsafe fn($($kind),*) $(-> $answer)? = pgrx::pg_sys::$name;)+
    };
}

as_pgrx_binds! {
    fn geterrcode() -> i32;
    #[cfg(feature = "pg15")]
    fn get_guc_variables() -> *mut *mut config_generic;
    #[cfg(feature = "pg15")]
    fn GetNumConfigOptions() -> i32;
    fn ThrowErrorData(data: *mut ErrorData);
    fn GetUserId() -> Oid;
    fn GetOuterUserId() -> Oid;
    fn GetSessionUserId() -> Oid;
    fn InSecurityRestrictedOperation() -> bool;
    fn RecoveryInProgress() -> bool;
    fn GetCurrentTimestamp() -> TimestampTz;
    fn LWLockConditionalAcquire(lock: *mut LWLock, mode: LWLockMode::Type) -> bool;
    fn LWLockAcquire(lock: *mut LWLock, mode: LWLockMode::Type) -> bool;
    fn LWLockRelease(lock: *mut LWLock);
    fn GetUserIdAndSecContext(user: *mut Oid, context: *mut i32);
    fn SetUserIdAndSecContext(user: Oid, context: i32);
    fn GetCurrentTransactionNestLevel() -> i32;
    fn table_open(id: Oid, lock: LOCKMODE) -> Relation;
    fn table_close(relation: Relation, lock: LOCKMODE);
    fn index_open(id: Oid, lock: LOCKMODE) -> Relation;
    fn index_close(relation: Relation, lock: LOCKMODE);
    fn try_relation_open(id: Oid, lock: LOCKMODE) -> Relation;
    fn relation_close(relation: Relation, lock: LOCKMODE);
    fn RelationGetNumberOfBlocksInFork(relation: Relation, fork: ForkNumber::Type) -> BlockNumber;
    fn table_slot_create(relation: Relation, list: *mut *mut List) -> *mut TupleTableSlot;
    fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
    fn GetActiveSnapshot() -> Snapshot;
    fn GetLatestSnapshot() -> Snapshot;
    fn PushActiveSnapshot(snapshot: Snapshot);
    #[cfg(not(feature = "pg18"))]
    fn index_beginscan(
        table: Relation,
        index: Relation,
        snapshot: Snapshot,
        keys: i32,
        orderings: i32,
    ) -> IndexScanDesc;
    #[cfg(feature = "pg18")]
    fn index_beginscan(
        table: Relation,
        index: Relation,
        snapshot: Snapshot,
        instrument: *mut IndexScanInstrumentation,
        keys: i32,
        orderings: i32,
    ) -> IndexScanDesc;
    fn index_rescan(
        scan: IndexScanDesc,
        keys: ScanKey,
        count: i32,
        orderings: ScanKey,
        ordering_count: i32,
    );
    fn index_endscan(scan: IndexScanDesc);
    fn index_getnext_tid(scan: IndexScanDesc, direction: ScanDirection::Type) -> ItemPointer;
    fn index_fetch_heap(scan: IndexScanDesc, slot: *mut TupleTableSlot) -> bool;
    fn heap_deform_tuple(tuple: HeapTuple, columns: TupleDesc, values: *mut Datum, nulls: *mut bool);
    fn SPI_gettypeid(description: TupleDesc, column: i32) -> Oid;
    fn slot_getsomeattrs_int(slot: *mut TupleTableSlot, last: i32);
    fn ScanKeyInit(
        key: ScanKey,
        column: AttrNumber,
        strategy: StrategyNumber,
        procedure: RegProcedure,
        argument: Datum,
    );
    fn RelationGetIndexPredicate(relation: Relation) -> *mut List;
    fn ScanKeyEntryInitialize(
        key: ScanKey,
        flags: i32,
        column: AttrNumber,
        strategy: StrategyNumber,
        subtype: Oid,
        collation: Oid,
        procedure: RegProcedure,
        argument: Datum,
    );
    fn ReadRecentBuffer(
        file: FileId,
        fork: ForkNumber::Type,
        block: BlockNumber,
        buffer: Buffer,
    ) -> bool;
    fn LockBuffer(buffer: Buffer, mode: i32);
    fn ReleaseBuffer(buffer: Buffer);
    fn UnlockReleaseBuffer(buffer: Buffer);
    fn BufferGetBlockNumber(buffer: Buffer) -> BlockNumber;
    fn BufferGetLSNAtomic(buffer: Buffer) -> XLogRecPtr;
    fn pfree(pointer: *mut std::ffi::c_void);
    fn heap_hot_search_buffer(
        tid: ItemPointer,
        table: Relation,
        buffer: Buffer,
        snapshot: Snapshot,
        tuple: HeapTuple,
        all_dead: *mut bool,
        first_call: bool,
    ) -> bool;
    fn ExecStorePinnedBufferHeapTuple(
        tuple: HeapTuple,
        slot: *mut TupleTableSlot,
        buffer: Buffer,
    ) -> *mut TupleTableSlot;
}

/// The key of a descent in a B-tree, which only Postgres looks into.
#[repr(C)]
pub(super) struct DescentKey([u8; 0]);
/// The way that a descent took, which only Postgres looks into.
#[repr(C)]
pub(super) struct DescentPath([u8; 0]);

/// Locks the page that a descent ends at for reading.
pub(super) const BT_READ: i32 = BUFFER_LOCK_SHARE.cast_signed();

unsafe extern "C-unwind" {
    // pgrx does not bind these: their headers (15.20, 16.14, 17.12, 18.6) are compared by hand. The first four are those of B-trees.
    pub(super) fn _bt_metaversion(index: Relation, has_rows: *mut bool, is_alike: *mut bool);
    pub(super) fn _bt_mkscankey(index: Relation, entry: IndexTuple) -> *mut DescentKey;
    #[cfg(feature = "pg15")]
    pub(super) fn _bt_search(
        index: Relation,
        key: *mut DescentKey,
        leaf: *mut Buffer,
        lock: i32,
        snapshot: Snapshot,
    ) -> *mut DescentPath;
    #[cfg(feature = "pg16")]
    pub(super) fn _bt_search(
        index: Relation,
        table: Relation,
        key: *mut DescentKey,
        leaf: *mut Buffer,
        lock: i32,
        snapshot: Snapshot,
    ) -> *mut DescentPath;
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    pub(super) fn _bt_search(
        index: Relation,
        table: Relation,
        key: *mut DescentKey,
        leaf: *mut Buffer,
        lock: i32,
    ) -> *mut DescentPath;
    pub(super) fn _bt_freestack(path: *mut DescentPath);
    pub(super) fn SetTuplestoreDestReceiverParams(
        destination: *mut DestReceiver,
        store: *mut Tuplestorestate,
        memory: MemoryContext,
        detoast: bool,
        target: TupleDesc,
        complaint: *const std::ffi::c_char,
    );
}
