/*
 * Supabase Vault's way of sealing a value, for the measure beside ours alone: a key that libsodium derives from the server's root key by a
 * number, then deterministic authenticated encryption (SIV) of BLAKE2b and XChaCha20, with as many calls of libsodium as the original
 * makes. Results and keys lie in memory that is wiped when its context is reset, as there.
 *
 * What must stay true: it does no more than the original does for a row, so that it is no slower. The root key is nobody's: all that it
 * seals is made up.
 */
#include <postgres.h>

#include <fmgr.h>
#include <sodium.h>
#if PG_VERSION_NUM >= 160000
#include <varatt.h>
#endif

PG_MODULE_MAGIC;

enum { KEY = 32, TAG = 32 };

static const unsigned char root_key[KEY] = { 1, 2, 3 };

void _PG_init(void);

void _PG_init(void)
{
    if (sodium_init() < 0)
        elog(ERROR, "libsodium does not start");
}

/* Memory that is wiped by whoever resets its context. */
struct wiped {
    MemoryContextCallback at_reset;
    Size size;
    char bytes[FLEXIBLE_ARRAY_MEMBER];
};

static void wipe(void *argument)
{
    struct wiped *memory = argument;
    sodium_memzero(memory->bytes, memory->size);
}

static bytea *wiped_bytea(Size length)
{
    struct wiped *memory = palloc(offsetof(struct wiped, bytes) + VARHDRSZ + length);
    memory->size = VARHDRSZ + length;
    memory->at_reset.func = wipe;
    memory->at_reset.arg = memory;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &memory->at_reset);
    SET_VARSIZE(memory->bytes, VARHDRSZ + length);
    return (bytea *) memory->bytes;
}

static unsigned char *bytes_of(bytea *value) { return (unsigned char *) VARDATA_ANY(value); }

/* Doubling in GF(2^256), the most significant bit first. */
static void doubled(unsigned char block[TAG])
{
    unsigned char carry = 0;
    for (int at = TAG - 1; at >= 0; at--) {
        unsigned char next = block[at] >> 7;
        block[at] = (unsigned char) (block[at] << 1 | carry);
        carry = next;
    }
    block[TAG - 2] ^= (unsigned char) (-carry & 0x04);
    block[TAG - 1] ^= (unsigned char) (-carry & 0x25);
}

static void added(unsigned char *block, const unsigned char *other, Size length)
{
    for (Size at = 0; at < length; at++)
        block[at] ^= other[at];
}

static void add_hash(unsigned char block[TAG], bytea *field, const unsigned char key[KEY])
{
    unsigned char hash[TAG];
    doubled(block);
    crypto_generichash(hash, TAG, bytes_of(field), VARSIZE_ANY_EXHDR(field), key, KEY);
    added(block, hash, TAG);
}

/* The tag over a value, what it is bound to and its nonce: S2V with BLAKE2b in the place of CMAC. */
static void make_tag(unsigned char tag[TAG], const unsigned char *value, Size length, bytea *bound, bytea *nonce,
    const unsigned char key[KEY])
{
    static const unsigned char zero[TAG];
    unsigned char block[TAG];
    crypto_generichash_state state;
    crypto_generichash(block, TAG, zero, TAG, key, KEY);
    add_hash(block, bound, key);
    add_hash(block, nonce, key);
    crypto_generichash_init(&state, key, KEY, TAG);
    if (length >= TAG) {
        crypto_generichash_update(&state, value, length - TAG);
        added(block, value + length - TAG, TAG);
    } else {
        doubled(block);
        added(block, value, length);
        block[length] ^= 0x80;
    }
    crypto_generichash_update(&state, block, TAG);
    crypto_generichash_final(&state, tag, TAG);
}

/* A key for the tag, and one for the stream. */
static void derive(unsigned char keys[2 * KEY], int64 id, bytea *context)
{
    unsigned char *key;
    if (VARSIZE_ANY_EXHDR(context) != crypto_kdf_CONTEXTBYTES)
        elog(ERROR, "a context has eight bytes");
    key = bytes_of(wiped_bytea(KEY));
    crypto_kdf_derive_from_key(key, KEY, (uint64_t) id, VARDATA_ANY(context), root_key);
    crypto_generichash(keys, 2 * KEY, NULL, 0, key, KEY);
}

PG_FUNCTION_INFO_V1(vault_method_seal);

Datum vault_method_seal(PG_FUNCTION_ARGS)
{
    bytea *value = PG_GETARG_BYTEA_PP(0), *bound = PG_GETARG_BYTEA_PP(1), *nonce = PG_GETARG_BYTEA_PP(4);
    Size length = VARSIZE_ANY_EXHDR(value);
    bytea *sealed = wiped_bytea(length + TAG);
    unsigned char keys[2 * KEY];
    derive(keys, PG_GETARG_INT64(2), PG_GETARG_BYTEA_PP(3));
    make_tag(bytes_of(sealed) + length, bytes_of(value), length, bound, nonce, keys);
    crypto_stream_xchacha20_xor(bytes_of(sealed), bytes_of(value), length, bytes_of(sealed) + length, keys + KEY);
    PG_RETURN_BYTEA_P(sealed);
}

PG_FUNCTION_INFO_V1(vault_method_open);

Datum vault_method_open(PG_FUNCTION_ARGS)
{
    bytea *sealed = PG_GETARG_BYTEA_PP(0), *bound = PG_GETARG_BYTEA_PP(1), *nonce = PG_GETARG_BYTEA_PP(4);
    bytea *value;
    Size length;
    unsigned char keys[2 * KEY], tag[TAG];
    if (VARSIZE_ANY_EXHDR(sealed) <= TAG)
        elog(ERROR, "too short for a sealed value");
    length = VARSIZE_ANY_EXHDR(sealed) - TAG;
    value = wiped_bytea(length);
    derive(keys, PG_GETARG_INT64(2), PG_GETARG_BYTEA_PP(3));
    crypto_stream_xchacha20_xor(bytes_of(value), bytes_of(sealed), length, bytes_of(sealed) + length, keys + KEY);
    make_tag(tag, bytes_of(value), length, bound, nonce, keys);
    if (sodium_memcmp(tag, bytes_of(sealed) + length, TAG) != 0)
        elog(ERROR, "the value was changed");
    PG_RETURN_BYTEA_P(value);
}
