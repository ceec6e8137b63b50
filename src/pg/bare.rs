//! Postgres' own functions, without pgrx's boundary around each: it is put around several at a time, in closures that own
//! nothing that would have to be dropped. Some of them pgrx does not bind at all.

use pgrx::pg_sys::*;

/// Postgres 16 renamed it.
#[cfg(feature = "pg15")]
pub(super) type FileId = RelFileNode;
#[cfg(not(feature = "pg15"))]
pub(super) type FileId = RelFileLocator;

#[allow(
    clashing_extern_declarations,
    reason = "the same functions as pgrx binds, called without its boundary"
)]
unsafe extern "C-unwind" {
    pub(super) fn geterrcode() -> i32;
    pub(super) fn GetUserId() -> Oid;
    pub(super) fn GetUserIdAndSecContext(user: *mut Oid, context: *mut i32);
    pub(super) fn SetUserIdAndSecContext(user: Oid, context: i32);
    pub(super) fn GetCurrentTransactionNestLevel() -> i32;
    pub(super) fn table_open(id: Oid, lock: LOCKMODE) -> Relation;
    pub(super) fn table_close(relation: Relation, lock: LOCKMODE);
    pub(super) fn index_open(id: Oid, lock: LOCKMODE) -> Relation;
    pub(super) fn index_close(relation: Relation, lock: LOCKMODE);
    pub(super) fn table_slot_create(relation: Relation, list: *mut *mut List) -> *mut TupleTableSlot;
    pub(super) fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
    pub(super) fn GetActiveSnapshot() -> Snapshot;
    pub(super) fn GetLatestSnapshot() -> Snapshot;
    pub(super) fn PushActiveSnapshot(snapshot: Snapshot);
    #[cfg(not(feature = "pg18"))]
    pub(super) fn index_beginscan(
        table: Relation,
        index: Relation,
        snapshot: Snapshot,
        keys: i32,
        orderings: i32,
    ) -> IndexScanDesc;
    #[cfg(feature = "pg18")]
    pub(super) fn index_beginscan(
        table: Relation,
        index: Relation,
        snapshot: Snapshot,
        instrument: *mut IndexScanInstrumentation,
        keys: i32,
        orderings: i32,
    ) -> IndexScanDesc;
    pub(super) fn index_rescan(
        scan: IndexScanDesc,
        keys: ScanKey,
        count: i32,
        orderings: ScanKey,
        ordering_count: i32,
    );
    pub(super) fn index_endscan(scan: IndexScanDesc);
    pub(super) fn index_getnext_tid(scan: IndexScanDesc, direction: ScanDirection::Type) -> ItemPointer;
    pub(super) fn index_fetch_heap(scan: IndexScanDesc, slot: *mut TupleTableSlot) -> bool;
    pub(super) fn slot_getsomeattrs_int(slot: *mut TupleTableSlot, last: i32);
    pub(super) fn ScanKeyInit(
        key: ScanKey,
        column: AttrNumber,
        strategy: StrategyNumber,
        procedure: RegProcedure,
        argument: Datum,
    );
    pub(super) fn ReadRecentBuffer(
        file: FileId,
        fork: ForkNumber::Type,
        block: BlockNumber,
        buffer: Buffer,
    ) -> bool;
    pub(super) fn LockBuffer(buffer: Buffer, mode: i32);
    pub(super) fn ReleaseBuffer(buffer: Buffer);
    pub(super) fn heap_hot_search_buffer(
        tid: ItemPointer,
        table: Relation,
        buffer: Buffer,
        snapshot: Snapshot,
        tuple: HeapTuple,
        all_dead: *mut bool,
        first_call: bool,
    ) -> bool;
    pub(super) fn ExecStorePinnedBufferHeapTuple(
        tuple: HeapTuple,
        slot: *mut TupleTableSlot,
        buffer: Buffer,
    ) -> *mut TupleTableSlot;
    pub(super) fn SetTuplestoreDestReceiverParams(
        destination: *mut DestReceiver,
        store: *mut Tuplestorestate,
        memory: MemoryContext,
        detoast: bool,
        target: TupleDesc,
        complaint: *const std::ffi::c_char,
    );
}
