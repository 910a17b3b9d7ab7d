// nghttp2 as Swift sees it: one connection with what nghttp2 calls back. The callbacks are C and stay here: they write
// down what has come, in order, and Swift reads it when nghttp2 has returned.
#ifndef SYNAXIS_CNGHTTP2_H
#define SYNAXIS_CNGHTTP2_H
#include "Slab.h"
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum ch2_kind {
  /// A message's head: `bytes` has it as HTTP/1.1 would, with `code` for its status.
  ch2_head,
  /// A head beyond the bound.
  ch2_head_too_long,
  /// Bytes of a body, in what was given to `ch2_receive`.
  ch2_data,
  /// The other side has sent all of its message.
  ch2_end,
  /// A stream is over: `code` says why (RFC 9113 §7).
  ch2_closed,
  /// The other side takes no further streams.
  ch2_goaway,
};

struct ch2_event {
  enum ch2_kind kind;
  int32_t stream;
  /// What the stream was given by its owner.
  uint32_t tag;
  uint32_t code;
  const uint8_t *bytes;
  size_t count;
  /// How many bytes of our body had been sent.
  size_t sent;
};

struct ch2_piece {
  const void *base;
  size_t count;
};

/// A stream of ours, and its body. Lifetime: allocated by `ch2_submit`, freed when the stream closes or the session
/// ends. The bytes of the pieces are the caller's, until they are sent or forgotten.
struct ch2_stream {
  struct ch2_stream *next;
  int32_t id;
  uint32_t tag;
  size_t sent;
  size_t at, offset, count;
  int is_forgotten;
  /// Of a server's: the answer's head is out; nothing follows what was lent; that has been said.
  int is_answered, ends, has_ended;
  /// More of the body comes by `ch2_feed`, one piece at a time.
  int is_open;
  struct ch2_piece pieces[];
};

struct ch2_session {
  nghttp2_session *session;
  struct ch2_stream *streams;
  size_t stream_count;
  struct ch2_event *events;
  size_t count, room;
  /// Heads of this turn; `bytes` of their events is an offset until `ch2_receive` returns.
  char *text;
  size_t text_count, text_room;
  /// Where the head begins that is under way, its status, and whether it is too long.
  size_t head_start;
  uint32_t status;
  int is_in_head, is_too_long;
  size_t head_limit;
  /// nghttp2 has stopped in the midst of what it was given, and goes on when it is called again.
  int is_paused;
  int is_out_of_memory;
  /// Of a server's: bytes and CONTINUATION frames of the head that is under way, frames that ask for work and bring
  /// nothing, and streams that the client gave up.
  size_t head_bytes, continuations, continuation_limit, idle_frames, resets;
};

// MARK: What has come

/// As many events as one request brings.
enum { ch2_few_events = 4 };

static inline struct ch2_event *ch2_note(struct ch2_session *self, enum ch2_kind kind, int32_t stream) {
  struct ch2_event *event;
  struct ch2_stream *known = nghttp2_session_get_stream_user_data(self->session, stream);
  if(self->count == self->room) {
    size_t room = self->room ? self->room * 2 : ch2_few_events;
    void *grown = realloc(self->events, room * sizeof(struct ch2_event));
    if(!grown) {
      self->is_out_of_memory = 1;
      return NULL;
    }
    self->events = grown;
    self->room = room;
  }
  event = &self->events[self->count++];
  memset(event, 0, sizeof(*event));
  event->kind = kind;
  event->stream = stream;
  event->tag = known ? known->tag : 0;
  event->sent = known ? known->sent : 0;
  return event;
}

static inline void ch2_write(struct ch2_session *self, const void *bytes, size_t count) {
  if(self->is_too_long || self->text_count - self->head_start + count > self->head_limit) {
    self->is_too_long = 1;
    return;
  }
  if(self->text_count + count > self->text_room) {
    size_t room = (self->text_count + count) * 2;
    char *grown = realloc(self->text, room);
    if(!grown) {
      self->is_out_of_memory = 1;
      return;
    }
    self->text = grown;
    self->text_room = room;
  }
  memcpy(self->text + self->text_count, bytes, count);
  self->text_count += count;
}

/// What is left of a head whose stream was reset over it is not kept: any other frame ends it.
static inline int ch2_begin_any(nghttp2_session *session, const nghttp2_frame_hd *head, void *context) {
  struct ch2_session *self = context;
  (void)session;
  if(head->type != NGHTTP2_CONTINUATION) self->is_in_head = 0;
  return 0;
}

static inline int ch2_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  struct ch2_session *self = context;
  (void)session, (void)frame;
  self->head_start = self->text_count;
  self->is_in_head = 1;
  self->status = 0;
  self->is_too_long = 0;
  return 0;
}

/// Whether a field was the first of a head for which the heads before it have to be taken out first: an index of one
/// byte may stand for a field of kilobytes (RFC 7541 §6.1), so that a few bytes bring any number of large heads.
static inline int ch2_pause(struct ch2_session *self, size_t before) {
  if(before != self->head_start || self->head_start < self->head_limit) return 0;
  self->is_paused = 1;
  return NGHTTP2_ERR_PAUSE;
}

static inline int ch2_data_chunk(
  nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t count, void *context) {
  struct ch2_event *event = ch2_note(context, ch2_data, stream);
  (void)session, (void)flags;
  if(!event) return NGHTTP2_ERR_CALLBACK_FAILURE;
  event->bytes = bytes;
  event->count = count;
  return 0;
}

static inline int ch2_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *context) {
  struct ch2_session *self = context;
  struct ch2_event *event = ch2_note(self, ch2_closed, stream);
  (void)session;
  if(event) event->code = code;
  for(struct ch2_stream **at = &self->streams; *at; at = &(*at)->next) {
    struct ch2_stream *found = *at;
    if(found->id != stream) continue;
    if(event) {
      event->tag = found->tag;
      event->sent = found->sent;
    }
    *at = found->next;
    self->stream_count--;
    free(found);
    break;
  }
  return event ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

// MARK: Memory, as nghttp2_mem(3) wants it

/// NULL is for memory that is out, and never for nothing.
static inline void *ch2_allocate(size_t size, void *context) {
  (void)context;
  return linux_slab_allocate(size ? size : 1, NULL, 0);
}

static inline void ch2_release(void *block, void *context) {
  (void)context;
  linux_slab_free(block, NULL, 0);
}

static inline void *ch2_clear(size_t count, size_t size, void *context) {
  void *block = size && count > SIZE_MAX / size ? NULL : ch2_allocate(count * size, context);
  return block ? memset(block, 0, count * size) : NULL;
}

static inline void *ch2_resize(void *block, size_t size, void *context) {
  (void)context;
  return linux_slab_reallocate(block, size ? size : 1, NULL, 0);
}

// MARK: A session

static inline void ch2_free(struct ch2_session *self) {
  if(!self) return;
  nghttp2_session_del(self->session);
  while(self->streams) {
    struct ch2_stream *next = self->streams->next;
    free(self->streams);
    self->streams = next;
  }
  free(self->events);
  free(self->text);
  free(self);
}

/// What the two sides of a connection do differently.
struct ch2_side {
  /// nghttp2's maker of such a session.
  int (*make)(nghttp2_session **, const nghttp2_session_callbacks *, void *, const nghttp2_option *, nghttp2_mem *);
  nghttp2_on_begin_frame_callback begin_frame;
  nghttp2_on_begin_headers_callback begin_head;
  nghttp2_on_header_callback field;
  nghttp2_on_frame_recv_callback frame;
  /// Where its memory comes from; NULL: from the slabs.
  nghttp2_mem *memory;
  /// Bytes of fields that are kept, to be named by an index when they are sent again (RFC 7541 §2.3.2).
  size_t kept_fields;
  /// Acknowledgements that may wait to be sent; 0: as many as nghttp2 thinks right.
  size_t acks;
  /// Sent first.
  const nghttp2_settings_entry *settings;
  size_t setting_count;
};

/// One side of a connection, its settings ready to be sent; NULL: memory is out. `window`: bytes that all streams together
/// may bring before they are taken.
static inline struct ch2_session *ch2_make(const struct ch2_side *side, int32_t window, uint32_t head_limit) {
  nghttp2_mem slabs = {NULL, ch2_allocate, ch2_release, ch2_clear, ch2_resize};
  nghttp2_mem *memory = side->memory ? side->memory : &slabs;
  struct ch2_session *self = calloc(1, sizeof(*self));
  nghttp2_session_callbacks *callbacks = NULL;
  nghttp2_option *option = NULL;
  if(self && nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, side->begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, side->begin_head);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, side->field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, side->frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, ch2_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, ch2_stream_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, side->kept_fields);
    if(side->acks) nghttp2_option_set_max_outbound_ack(option, side->acks);
    self->head_limit = head_limit;
    if(side->make(&self->session, callbacks, self, option, memory) != 0) self->session = NULL;
  }
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  if(
    self
    && (!self->session
        || nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, side->settings, side->setting_count) != 0
        || nghttp2_session_set_local_window_size(self->session, NGHTTP2_FLAG_NONE, 0, window) != 0)) {
    ch2_free(self);
    return NULL;
  }
  return self;
}

/// Takes bytes in, and returns how many, or why the connection is of no further use. Fewer than all: more heads have come
/// than are kept at once. What has come is added to `events`, good until the next call.
static inline ssize_t ch2_receive(struct ch2_session *self, const void *bytes, size_t count) {
  ssize_t taken;
  // A head may come in several parts.
  size_t kept = self->is_in_head ? self->text_count - self->head_start : 0;
  if(kept) memmove(self->text, self->text + self->head_start, kept);
  self->text_count = kept;
  self->head_start = 0;
  self->is_paused = 0;
  taken = nghttp2_session_mem_recv(self->session, bytes, count);
  for(size_t i = 0; i < self->count; i++)
    if(self->events[i].kind == ch2_head)
      self->events[i].bytes = (const uint8_t *)self->text + (uintptr_t)self->events[i].bytes;
  return taken;
}

/// All events have been read. What a turn with many of them took is given back: connections are many, and rest.
static inline void ch2_settle(struct ch2_session *self) {
  enum { kept_events = 64, kept_text = 4096 };
  self->count = 0;
  if(self->room > (self->streams ? kept_events : ch2_few_events)) {
    free(self->events);
    self->events = NULL;
    self->room = 0;
  }
  if(self->text_room > kept_text && !self->is_in_head) {
    free(self->text);
    self->text = NULL;
    self->text_room = self->text_count = self->head_start = 0;
  }
}

/// Bytes to send next; 0: none, negative: the session is of no use. They stay until the next call, be it for another
/// session of a server's desk.
static inline ssize_t ch2_output(struct ch2_session *self, const uint8_t **bytes) {
  return nghttp2_session_mem_send(self->session, bytes);
}

static inline struct ch2_stream *ch2_find(struct ch2_session *self, int32_t id) {
  struct ch2_stream *at = self->streams;
  while(at && at->id != id) at = at->next;
  return at;
}

// MARK: Heads to send

/// Reads a line `name: value` of a head, ended by CRLF; the name is put into lower case in place (RFC 9113 §8.2). A
/// pseudo-header field's begins with a colon. Returns what follows the line; NULL: no further field is there.
static inline char *ch2_read_field(char *line, char *end, nghttp2_nv *field) {
  char *stop = line < end ? memchr(line, '\r', (size_t)(end - line)) : NULL;
  char *colon = stop && stop > line ? memchr(line + 1, ':', (size_t)(stop - line - 1)) : NULL;
  if(!colon) return NULL;
  field->name = (uint8_t *)line;
  field->namelen = (size_t)(colon - line);
  for(char *at = line; at < colon; at++)
    if(*at >= 'A' && *at <= 'Z') *at = (char)(*at + 32);
  for(colon++; colon < stop && (*colon == ' ' || *colon == '\t'); colon++) continue;
  field->value = (uint8_t *)colon;
  field->valuelen = (size_t)(stop - colon);
  field->flags = NGHTTP2_NV_FLAG_NONE;
  return stop + 2;
}

#endif
