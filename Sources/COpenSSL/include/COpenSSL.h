// OpenSSL as Swift sees it: the header, typed shims for its macros, and what OpenSSL calls back. The callbacks are
// C and stay here: they note what they see in the connection's `cssl_wire`, which Swift reads afterwards.
#ifndef SYNAXIS_COPENSSL_H
#define SYNAXIS_COPENSSL_H
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/// What lies under a TLS connection, and what went wrong on it. Made by `cssl_open`, freed with the connection.
struct cssl_wire {
  int descriptor;
  /// One recv(2) for each turn: what remains in the socket is told again by the poller, and what was read is
  /// taken out of OpenSSL's buffer to the last whole record.
  int may_read;
  /// The peer's FIN was read; the last errno of the socket.
  int is_ended;
  int system_error;
  /// Bytes that the socket has taken.
  uint64_t sent;
  /// Why the peer's certificate was refused (X509_V_ERR_…), how far above the peer's own, how long it has been
  /// out of date, and a name: whom the certificate is for, or who signed it.
  int verify_error;
  int verify_depth;
  int64_t seconds_past;
  char name[128];
};

// MARK: The socket

static inline int cssl_wire_read(BIO *bio, char *room, int count) {
  struct cssl_wire *wire = BIO_get_data(bio);
  ssize_t got;
  BIO_clear_retry_flags(bio);
  if(wire->may_read) {
    do got = recv(wire->descriptor, room, (size_t)count, MSG_DONTWAIT);
    while(got < 0 && errno == EINTR);
    wire->may_read = 0;
    if(got > 0) return (int)got;
    if(got == 0) {
      wire->is_ended = 1;
      return 0;
    }
    if(errno != EAGAIN) {
      wire->system_error = errno;
      return -1;
    }
  }
  BIO_set_retry_read(bio);
  return -1;
}

static inline int cssl_wire_write(BIO *bio, const char *bytes, int count) {
  struct cssl_wire *wire = BIO_get_data(bio);
  ssize_t sent;
  BIO_clear_retry_flags(bio);
  do sent = send(wire->descriptor, bytes, (size_t)count, MSG_DONTWAIT | MSG_NOSIGNAL);
  while(sent < 0 && errno == EINTR);
  if(sent >= 0) {
    wire->sent += (uint64_t)sent;
    return (int)sent;
  }
  if(errno == EAGAIN)
    BIO_set_retry_write(bio);
  else
    wire->system_error = errno;
  return -1;
}

static inline long cssl_wire_control(BIO *bio, int command, long number, void *pointer) {
  (void)number, (void)pointer;
  switch(command) {
  case BIO_CTRL_FLUSH: return 1;
  case BIO_CTRL_EOF: return ((struct cssl_wire *)BIO_get_data(bio))->is_ended;
  default: return 0;
  }
}

static inline int cssl_wire_free(BIO *bio) {
  free(BIO_get_data(bio));
  return 1;
}

/// The socket's methods, made once; NULL: memory is out.
static inline BIO_METHOD *cssl_wire_methods(void) {
  static BIO_METHOD *methods;
  if(!methods && (methods = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket"))) {
    BIO_meth_set_read(methods, cssl_wire_read);
    BIO_meth_set_write(methods, cssl_wire_write);
    BIO_meth_set_ctrl(methods, cssl_wire_control);
    BIO_meth_set_destroy(methods, cssl_wire_free);
  }
  return methods;
}

static inline struct cssl_wire *cssl_wire(SSL *ssl) { return BIO_get_data(SSL_get_rbio(ssl)); }

// MARK: Certificates

static inline void cssl_copy_name(struct cssl_wire *wire, const ASN1_STRING *text) {
  size_t at = strlen(wire->name);
  int length = ASN1_STRING_length(text);
  if(length <= 0 || at + 2 + (size_t)length >= sizeof(wire->name)) return;
  if(at > 0) wire->name[at++] = ',', wire->name[at++] = ' ';
  memcpy(wire->name + at, ASN1_STRING_get0_data(text), (size_t)length);
  wire->name[at + (size_t)length] = 0;
}

/// The common name, else the organisation.
static inline void cssl_note_name(struct cssl_wire *wire, const X509_NAME *name) {
  int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if(at < 0) at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
  if(at >= 0) cssl_copy_name(wire, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

/// The DNS names that a certificate is for, as many as there is room for.
static inline void cssl_note_hosts(struct cssl_wire *wire, X509 *certificate) {
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  for(int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if(name->type == GEN_DNS) cssl_copy_name(wire, name->d.dNSName);
  }
  if(!wire->name[0]) cssl_note_name(wire, X509_get_subject_name(certificate));
  GENERAL_NAMES_free(names);
}

/// Notes the first thing that is wrong with the peer's chain.
static inline int cssl_note_verdict(int is_good, X509_STORE_CTX *store) {
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct cssl_wire *wire = ssl ? cssl_wire(ssl) : NULL;
  X509 *certificate = X509_STORE_CTX_get_current_cert(store);
  int days = 0, seconds = 0;
  if(is_good || !wire || wire->verify_error) return is_good;
  wire->verify_error = X509_STORE_CTX_get_error(store);
  wire->verify_depth = X509_STORE_CTX_get_error_depth(store);
  if(!certificate) return 0;
  switch(wire->verify_error) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
  case X509_V_ERR_CERT_NOT_YET_VALID:
    (void)ASN1_TIME_diff(
      &days, &seconds, wire->verify_error == X509_V_ERR_CERT_HAS_EXPIRED ? X509_get0_notAfter(certificate)
                                                                         : X509_get0_notBefore(certificate),
      NULL);
    wire->seconds_past = (int64_t)days * 86400 + seconds;
    cssl_note_name(wire, X509_get_subject_name(certificate));
    break;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH: cssl_note_hosts(wire, certificate); break;
  default: cssl_note_name(wire, X509_get_issuer_name(certificate));
  }
  return 0;
}

/// A key with a passphrase cannot be used: nobody is there to ask.
static inline int cssl_no_passphrase(char *room, int size, int is_writing, void *context) {
  (void)room, (void)size, (void)is_writing, (void)context;
  return -1;
}

// MARK: Contexts

/// What all of a client's connections have in common; NULL: memory is out. `read_size`: bytes that are read at once.
static inline SSL_CTX *cssl_client_context(int verifies, size_t read_size) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if(!context) return NULL;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(
    context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, read_size);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(context, cssl_no_passphrase);
  SSL_CTX_set_verify(context, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, verifies ? cssl_note_verdict : NULL);
  return context;
}

/// Whether the peer shows the certificate that is expected.
static inline int cssl_is_expected(X509_STORE_CTX *store, void *expected) {
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  int error = X509_cmp(X509_STORE_CTX_get0_cert(store), expected) == 0 ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION;
  X509_STORE_CTX_set_error(store, error);
  if(ssl) cssl_wire(ssl)->verify_error = error;
  return error == X509_V_OK;
}

/// Accepts the first certificate of a file, whatever it says, and no other. 0: the file cannot be used.
static inline int cssl_expect(SSL_CTX *context, const char *path) {
  BIO *file = BIO_new_file(path, "r");
  X509 *certificate = file ? PEM_read_bio_X509(file, NULL, cssl_no_passphrase, NULL) : NULL;
  // The store keeps it for as long as there is the context.
  int is_kept = certificate && X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate);
  if(is_kept) SSL_CTX_set_cert_verify_callback(context, cssl_is_expected, certificate);
  X509_free(certificate);
  BIO_free(file);
  return is_kept;
}

/// What of a server's files cannot be used.
enum cssl_file { cssl_no_file, cssl_certificate_file, cssl_key_file, cssl_other_key, cssl_authorities_file };

/// Of what a client offers, in our order (RFC 7301 §3.2).
static inline int cssl_choose_protocol(
  SSL *ssl, const unsigned char **name, unsigned char *length, const unsigned char *offered, unsigned count, void *context) {
  static const unsigned char ours[] = "\x02h2\x08http/1.1";
  (void)ssl, (void)context;
  return SSL_select_next_proto((unsigned char **)name, length, ours, sizeof(ours) - 1, offered, count)
             == OPENSSL_NPN_NEGOTIATED
           ? SSL_TLSEXT_ERR_OK
           : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// What all connections of a listener have in common; NULL: `fault` is what cannot be used, or memory is out. Tickets
/// are all that is kept of sessions, and clients keep them (RFC 8446 §4.6.1).
static inline SSL_CTX *cssl_server_context(
  const char *certificate, const char *key, const char *authorities, enum cssl_file *fault) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  STACK_OF(X509_NAME) *names;
  *fault = cssl_no_file;
  ERR_clear_error();
  if(!context) return NULL;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(
    context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(
    context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, (const unsigned char *)"synaxis", 7);
  SSL_CTX_set_default_passwd_cb(context, cssl_no_passphrase);
  SSL_CTX_set_alpn_select_cb(context, cssl_choose_protocol, NULL);
  if(SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
    *fault = cssl_certificate_file;
  else if(SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    *fault = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509 ? cssl_other_key : cssl_key_file;
  else if(SSL_CTX_check_private_key(context) != 1)
    *fault = cssl_other_key;
  else if(authorities) {
    names = SSL_load_client_CA_file(authorities);
    if(names && SSL_CTX_load_verify_file(context, authorities) == 1) {
      SSL_CTX_set_client_CA_list(context, names);
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, cssl_note_verdict);
    } else {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      *fault = cssl_authorities_file;
    }
  }
  if(*fault == cssl_no_file) return context;
  SSL_CTX_free(context);
  return NULL;
}

/// Seconds for which a server's certificate has been out of date; negative: it is good for so long. `is_early`: it is
/// not good yet.
static inline int64_t cssl_seconds_past(SSL_CTX *context, int *is_early) {
  X509 *certificate = SSL_CTX_get0_certificate(context);
  int days = 0, seconds = 0;
  *is_early = X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0;
  (void)ASN1_TIME_diff(&days, &seconds, X509_get0_notAfter(certificate), NULL);
  return (int64_t)days * 86400 + seconds;
}

// MARK: Connections

/// A connection to be made on a connected socket, which stays the caller's; NULL: memory is out.
static inline SSL *cssl_open(SSL_CTX *context, int descriptor) {
  BIO_METHOD *methods = cssl_wire_methods();
  struct cssl_wire *wire = calloc(1, sizeof(*wire));
  BIO *bio = wire && methods ? BIO_new(methods) : NULL;
  SSL *ssl = bio ? SSL_new(context) : NULL;
  if(!bio) {
    free(wire);
    return NULL;
  }
  wire->descriptor = descriptor;
  BIO_set_data(bio, wire);
  BIO_set_init(bio, 1);
  if(ssl)
    SSL_set_bio(ssl, bio, bio);
  else
    BIO_free(bio);
  return ssl;
}

/// The name in the client's hello (RFC 6066 §3).
static inline int cssl_announce(SSL *ssl, const char *name) {
  return (int)SSL_set_tlsext_host_name(ssl, name);
}
static inline int cssl_is_address(const char *name) {
  ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
  ASN1_OCTET_STRING_free(address);
  return address != NULL;
}

static inline int cssl_agreed_on_http2(const SSL *ssl) {
  const unsigned char *name;
  unsigned count;
  SSL_get0_alpn_selected(ssl, &name, &count);
  return count == 2 && memcmp(name, "h2", 2) == 0;
}

// What a call came to.
enum cssl_outcome { cssl_done, cssl_wants_read, cssl_wants_write, cssl_closed, cssl_failed };

/// What others have left in this thread's queue of errors would be taken for this connection's.
static inline void cssl_begin(void) {
  if(ERR_peek_error()) ERR_clear_error();
}
static inline enum cssl_outcome cssl_result(SSL *ssl, int result) {
  switch(SSL_get_error(ssl, result)) {
  case SSL_ERROR_NONE: return cssl_done;
  case SSL_ERROR_WANT_READ: return cssl_wants_read;
  case SSL_ERROR_WANT_WRITE: return cssl_wants_write;
  case SSL_ERROR_ZERO_RETURN: return cssl_closed;
  default: return cssl_failed;
  }
}

static inline enum cssl_outcome cssl_shake_hands(SSL *ssl) {
  cssl_begin();
  cssl_wire(ssl)->may_read = 1;
  return cssl_result(ssl, SSL_do_handshake(ssl));
}

/// Reads from the socket once and decrypts all whole records of it. Returns how many bytes there are; `outcome`
/// says what came behind them.
static inline size_t cssl_receive(SSL *ssl, void *room, size_t size, enum cssl_outcome *outcome) {
  size_t total = 0, got = 0;
  *outcome = cssl_done;
  cssl_begin();
  cssl_wire(ssl)->may_read = 1;
  while(total < size) {
    if(!SSL_read_ex(ssl, (char *)room + total, size - total, &got)) {
      *outcome = cssl_result(ssl, 0);
      // A ticket leaves an empty buffer of 16 KB behind, for an answer that it does not want, until something is sent.
      // Only between two records: OpenSSL 3.0.13 would throw a record's head away (CVE-2024-4741).
      if(*outcome == cssl_wants_read && SSL_rstate_string(ssl)[1] == 'H') SSL_free_buffers(ssl);
      break;
    }
    total += got;
  }
  return total;
}

/// Sends at most one record. After `cssl_wants_…` the same bytes must come again.
static inline enum cssl_outcome cssl_send(SSL *ssl, const void *bytes, size_t count, size_t *sent) {
  cssl_begin();
  *sent = 0;
  return cssl_result(ssl, SSL_write_ex(ssl, bytes, count, sent));
}

/// Says that nothing follows (RFC 8446 §6.1), if that can be said at once.
static inline void cssl_say_goodbye(SSL *ssl) {
  cssl_begin();
  if(SSL_is_init_finished(ssl) && !cssl_wire(ssl)->system_error) (void)SSL_shutdown(ssl);
  ERR_clear_error();
}

// MARK: What went wrong

/// The first error in the queue: its reason (SSL_R_…) where it is TLS', else 0; the queue is emptied.
static inline int cssl_take_reason(const char **text) {
  unsigned long error = ERR_peek_error();
  *text = error ? ERR_reason_error_string(error) : NULL;
  ERR_clear_error();
  return ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
}

#endif
