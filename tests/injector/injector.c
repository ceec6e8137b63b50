/*
 * Makes hftok's calls into Postgres fail, one at a time: for the tests, loaded into a session of theirs.
 *
 * hftok.so finds the functions that it imports through addresses in a table of its own, which the loader fills in. This library puts
 * functions of its own there, in the session that loads it and in no other. Each counts, does to one call what the test asked for, and
 * hands all other calls on as they are.
 *
 * What must stay true: only functions that may raise an error are replaced; each takes at most ten arguments, all of them integers,
 * pointers or booleans, and returns such a value or nothing. The platform's calling convention hands those on unchanged.
 */
#include "postgres.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

void _PG_init(void);

/* Functions that read the catalogs, or that need a table, an index, a row, a snapshot or a lock. */
#define CATALOG(X) \
	X(AcceptInvalidationMessages) X(CacheInvalidateRelcacheByRelid) X(CommandCounterIncrement) X(ConditionalLockRelationOid) \
	X(CreateTupleDescCopy) X(CreateTupleDescCopyConstr) X(ExecBRInsertTriggers) X(ExecCheckIndexConstraints) \
	X(ExecInsertIndexTuples) X(ExecOpenIndices) X(ExecStorePinnedBufferHeapTuple) X(ExecStoreVirtualTuple) X(GetConfigOption) \
	X(GetConfigOptionResetString) X(GetCurrentFullTransactionId) X(GetCurrentTransactionId) X(GetLatestSnapshot) X(GetSysCacheOid) \
	X(GetTransactionSnapshot) X(GetUserNameFromId) X(InitResultRelInfo) X(LockDatabaseObject) X(LockRelationOid) \
	X(PreventCommandDuringRecovery) X(PreventCommandIfParallelMode) X(PreventCommandIfReadOnly) X(PushActiveSnapshot) \
	X(ReadRecentBuffer) X(SearchSysCache1) X(SearchSysCache2) X(SearchSysCache3) X(SetConfigOption) \
	X(SpeculativeInsertionLockAcquire) X(SysCacheGetAttr) X(_bt_metaversion) X(_bt_mkscankey) X(_bt_search) X(aclmask) X(aclmembers) \
	X(check_enable_rls) X(fmgr_info_cxt) X(format_type_extended) X(get_array_type) X(get_attnum) X(get_atttype) X(get_database_name) \
	X(get_element_type) X(get_namespace_oid) X(get_rel_type_id) X(get_relname_relid) X(get_role_oid) X(get_typlenbyvalalign) \
	X(heap_copy_tuple_as_datum) X(heap_form_tuple) X(heap_hot_search_buffer) X(heap_modify_tuple) X(index_beginscan) \
	X(index_fetch_heap) X(index_getnext_tid) X(index_open) X(index_rescan) X(is_member_of_role) X(jsonb_in) X(jsonb_out) \
	X(lookup_rowtype_tupdesc_copy) X(pg_attribute_aclcheck) X(pg_class_aclcheck) X(pg_detoast_datum) X(pg_detoast_datum_packed) \
	X(pg_namespace_aclcheck) X(object_aclcheck) X(set_config_option) X(slot_getsomeattrs_int) X(superuser_arg) X(table_open) \
	X(table_slot_create) X(timestamptz_out) X(toast_raw_datum_size) X(try_relation_open)

#define SPI(X) \
	X(SPI_connect) X(SPI_cursor_fetch) X(SPI_cursor_find) X(SPI_cursor_open) X(SPI_datumTransfer) X(SPI_execute) \
	X(SPI_execute_extended) X(SPI_execute_plan) X(SPI_execute_plan_extended) X(SPI_execute_with_args) X(SPI_finish) X(SPI_fnumber) \
	X(SPI_getbinval) X(SPI_gettypeid) X(SPI_keepplan) X(SPI_prepare) X(SPI_prepare_cursor)

#define ALLOCATION(X) \
	X(AllocSetContextCreateInternal) X(CreateDestReceiver) X(CreateExecutorState) X(GetBulkInsertState) X(MemoryContextAlloc) \
	X(MemoryContextAllocZero) X(RegisterSubXactCallback) X(RegisterXactCallback) X(accumArrayResult) X(buildoidvector) \
	X(initArrayResult) X(lappend_oid) X(makeArrayResult) X(makeParamList) X(palloc) X(palloc0) X(pstrdup) X(tuplestore_begin_heap) \
	X(tuplestore_putvalues)

/* Those of C's library: they raise nothing, and answer null when there is no memory. */
#define MALLOC(X) X(malloc) X(calloc) X(realloc) X(posix_memalign)

typedef enum Kind
{
	KIND_COUNT,					/* nothing, but for counting */
	KIND_ERROR,					/* an error */
	KIND_CANCEL,				/* a cancel arrives at that moment */
	KIND_NO_MEMORY				/* null instead of memory */
} Kind;

static bool is_armed = false;
static Kind kind = KIND_COUNT;
static int64 calls = 0;
static int64 chosen = 0;
static const char *struck = NULL;

/* Says whether this is the call that was chosen. */
static bool
is_chosen(const char *name)
{
	if (!is_armed || proc_exit_inprogress || ++calls != chosen)
		return false;
	is_armed = false;
	struck = name;
	return true;
}

/* The error is one that such a function may raise. */
static void
called(const char *name, int error)
{
	if (kind == KIND_NO_MEMORY || !is_chosen(name))
		return;
	if (kind == KIND_ERROR)
		ereport(ERROR, (errcode(error), errmsg("injected into %s", name)));
	if (kind == KIND_CANCEL)
	{
		QueryCancelPending = true;
		InterruptPending = true;
	}
}

#define TEN uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f, uintptr_t g, uintptr_t h, uintptr_t i, uintptr_t j
typedef uintptr_t (*function) (TEN);

#define WRAPPER(name, error) \
	static function original_##name; \
	static uintptr_t wrapped_##name(TEN) { called(#name, error); return original_##name(a, b, c, d, e, f, g, h, i, j); }
#define READS(name) WRAPPER(name, ERRCODE_IO_ERROR)
#define ALLOCATES(name) WRAPPER(name, ERRCODE_OUT_OF_MEMORY)
CATALOG(READS)
SPI(READS)
ALLOCATION(ALLOCATES)

static bool
is_refused(const char *name)
{
	return kind == KIND_NO_MEMORY && is_chosen(name);
}

static void *(*original_malloc) (size_t);
static void *(*original_calloc) (size_t, size_t);
static void *(*original_realloc) (void *, size_t);
static int	(*original_posix_memalign) (void **, size_t, size_t);

static void *
wrapped_malloc(size_t size)
{
	return is_refused("malloc") ? NULL : original_malloc(size);
}

static void *
wrapped_calloc(size_t count, size_t size)
{
	return is_refused("calloc") ? NULL : original_calloc(count, size);
}

static void *
wrapped_realloc(void *block, size_t size)
{
	return is_refused("realloc") ? NULL : original_realloc(block, size);
}

static int
wrapped_posix_memalign(void **block, size_t align, size_t size)
{
	return is_refused("posix_memalign") ? 12 /* ENOMEM */ : original_posix_memalign(block, align, size);
}

typedef struct Replaced
{
	const char *name;
	void	   *by;
	void	  **original;
	bool		is_found;
} Replaced;

#define ROW(name) {#name, (void *) wrapped_##name, (void **) &original_##name, false},
static Replaced replaced[] = {CATALOG(ROW) SPI(ROW) ALLOCATION(ROW) MALLOC(ROW)};

/* Puts a function in the place of the one that an entry of the table names, if it is one of ours. */
static void
replace(const char *name, void **entry)
{
	for (size_t n = 0; n < lengthof(replaced); n++)
	{
		uintptr_t	page = (uintptr_t) entry & ~((uintptr_t) sysconf(_SC_PAGESIZE) - 1);

		if (strcmp(replaced[n].name, name) != 0 || *entry == replaced[n].by)
			continue;
		*replaced[n].original = *entry;
		replaced[n].is_found = true;
		if (mprotect((void *) page, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE) != 0)
			elog(ERROR, "the table of %s cannot be written: %m", name);
		*entry = replaced[n].by;
	}
}

/* Looks through the relocations of a library that name a symbol: each is an address that the loader filled in. */
static void
look_through(uintptr_t base, const ElfW(Rela) *relocations, size_t bytes, const ElfW(Sym) *symbols, const char *names)
{
	for (size_t n = 0; relocations != NULL && n < bytes / sizeof(*relocations); n++)
	{
#if defined(__x86_64__)
		uint32		type = ELF64_R_TYPE(relocations[n].r_info);
		bool		is_address = type == R_X86_64_GLOB_DAT || type == R_X86_64_JUMP_SLOT;
#elif defined(__aarch64__)
		uint32		type = ELF64_R_TYPE(relocations[n].r_info);
		bool		is_address = type == R_AARCH64_GLOB_DAT || type == R_AARCH64_JUMP_SLOT;
#else
#error "the relocations of this processor are not known"
#endif
		if (is_address)
			replace(names + symbols[ELF64_R_SYM(relocations[n].r_info)].st_name, (void **) (base + relocations[n].r_offset));
	}
}

static int
visit(struct dl_phdr_info *library, size_t size, void *found)
{
	const ElfW(Rela) *rela = NULL, *jumps = NULL;
	const ElfW(Sym) *symbols = NULL;
	const char *names = NULL, *file = strrchr(library->dlpi_name, '/');
	size_t		rela_bytes = 0, jump_bytes = 0;

	if (file == NULL || strcmp(file, "/hftok.so") != 0)
		return 0;
	for (int n = 0; n < library->dlpi_phnum; n++)
	{
		if (library->dlpi_phdr[n].p_type != PT_DYNAMIC)
			continue;
		for (const ElfW(Dyn) *entry = (void *) (library->dlpi_addr + library->dlpi_phdr[n].p_vaddr); entry->d_tag != DT_NULL; entry++)
		{
			/* The loader has made addresses of these. */
			void	   *address = (void *) entry->d_un.d_ptr;

			switch (entry->d_tag)
			{
				case DT_RELA: rela = address; break;
				case DT_RELASZ: rela_bytes = entry->d_un.d_val; break;
				case DT_JMPREL: jumps = address; break;
				case DT_PLTRELSZ: jump_bytes = entry->d_un.d_val; break;
				case DT_SYMTAB: symbols = address; break;
				case DT_STRTAB: names = address; break;
			}
		}
	}
	look_through(library->dlpi_addr, rela, rela_bytes, symbols, names);
	look_through(library->dlpi_addr, jumps, jump_bytes, symbols, names);
	*(bool *) found = true;
	return 1;
}

void
_PG_init(void)
{
	bool		found = false;

	dl_iterate_phdr(visit, &found);
	if (!found)
		elog(ERROR, "hftok is not loaded in this session");
}

/* injected_names() text: the functions that were found in hftok's table, with a blank between them. */
PG_FUNCTION_INFO_V1(injected_names);
Datum
injected_names(PG_FUNCTION_ARGS)
{
	StringInfoData names;

	initStringInfo(&names);
	for (size_t n = 0; n < lengthof(replaced); n++)
		if (replaced[n].is_found)
			appendStringInfo(&names, "%s ", replaced[n].name);
	PG_RETURN_TEXT_P(cstring_to_text(names.data));
}

/* injected_arm(kind int, call bigint): from now on calls are counted, and the chosen one is struck. */
PG_FUNCTION_INFO_V1(injected_arm);
Datum
injected_arm(PG_FUNCTION_ARGS)
{
	kind = PG_GETARG_INT32(0);
	chosen = PG_GETARG_INT64(1);
	calls = 0;
	struck = NULL;
	is_armed = true;
	PG_RETURN_VOID();
}

/* injected_at() text: the function that was struck, or none; nothing is struck from now on. */
PG_FUNCTION_INFO_V1(injected_at);
Datum
injected_at(PG_FUNCTION_ARGS)
{
	is_armed = false;
	if (struck == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(struck));
}

/* injected_calls() bigint: how many calls were counted. */
PG_FUNCTION_INFO_V1(injected_calls);
Datum
injected_calls(PG_FUNCTION_ARGS)
{
	is_armed = false;
	PG_RETURN_INT64(calls);
}
