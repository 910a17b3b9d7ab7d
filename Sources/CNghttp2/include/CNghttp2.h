// nghttp2 as Swift sees it: one connection with what nghttp2 calls back. The callbacks are C and stay here: they write
// down what has come, in order, and Swift reads it when nghttp2 has returned.
#ifndef SYNAXIS_CNGHTTP2_H
#define SYNAXIS_CNGHTTP2_H
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

static inline struct ch2_event *ch2_note(struct ch2_session *self, enum ch2_kind kind, int32_t stream) {
  struct ch2_event *event;
  struct ch2_stream *known = nghttp2_session_get_stream_user_data(self->session, stream);
  if(self->count == self->room) {
    size_t room = self->room ? self->room * 2 : 16;
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

/// A header field. Of the pseudo-header fields an answer has only `:status` (RFC 9113 §8.3.2); trailers have none.
static inline int ch2_header(
  nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_count, const uint8_t *value,
  size_t value_count, uint8_t flags, void *context) {
  struct ch2_session *self = context;
  size_t before = self->text_count;
  (void)session, (void)frame, (void)flags;
  if(name[0] == ':') {
    if(value_count != 3) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    for(int i = 0; i < 3; i++) self->status = self->status * 10 + (uint32_t)(value[i] - '0');
    ch2_write(self, "HTTP/2 ", 7);
    ch2_write(self, value, 3);
    ch2_write(self, " \r\n", 3);
    return ch2_pause(self, before);
  }
  ch2_write(self, name, name_count);
  ch2_write(self, ": ", 2);
  ch2_write(self, value, value_count);
  ch2_write(self, "\r\n", 2);
  return self->is_out_of_memory ? NGHTTP2_ERR_CALLBACK_FAILURE : ch2_pause(self, before);
}

static inline int ch2_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  struct ch2_session *self = context;
  struct ch2_event *event;
  (void)session;
  switch(frame->hd.type) {
  case NGHTTP2_HEADERS:
    self->is_in_head = 0;
    if(self->status) {
      ch2_write(self, "\r\n", 2);
      event = ch2_note(self, self->is_too_long ? ch2_head_too_long : ch2_head, frame->hd.stream_id);
      if(event) {
        event->code = self->status;
        event->bytes = (const uint8_t *)(uintptr_t)self->head_start;
        event->count = self->text_count - self->head_start;
      }
    }
    if(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ch2_note(self, ch2_end, frame->hd.stream_id);
    break;
  case NGHTTP2_DATA:
    if(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ch2_note(self, ch2_end, frame->hd.stream_id);
    break;
  case NGHTTP2_GOAWAY: ch2_note(self, ch2_goaway, 0); break;
  default: break;
  }
  return self->is_out_of_memory ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
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

/// The next bytes of a request's body.
static inline ssize_t ch2_read_body(
  nghttp2_session *session, int32_t stream, uint8_t *room, size_t size, uint32_t *flags, nghttp2_data_source *source,
  void *context) {
  struct ch2_stream *self = source->ptr;
  size_t given = 0;
  (void)session, (void)stream, (void)context;
  if(self->is_forgotten) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  while(given < size && self->at < self->count) {
    const struct ch2_piece *piece = &self->pieces[self->at];
    size_t count = piece->count - self->offset;
    if(count > size - given) count = size - given;
    memcpy(room + given, (const char *)piece->base + self->offset, count);
    given += count;
    self->offset += count;
    if(self->offset == piece->count) self->at++, self->offset = 0;
  }
  self->sent += given;
  if(self->is_open) return given ? (ssize_t)given : NGHTTP2_ERR_DEFERRED;
  if(self->at == self->count) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)given;
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

/// The client's side of a connection, its preface ready to be sent; NULL: memory is out. `stream_window` and
/// `window`: bytes that one stream, and all together, may bring before they are taken.
static inline struct ch2_session *ch2_client(uint32_t stream_window, int32_t window, uint32_t head_limit) {
  struct ch2_session *self = calloc(1, sizeof(*self));
  nghttp2_session_callbacks *callbacks = NULL;
  nghttp2_option *option = NULL;
  nghttp2_settings_entry settings[] = {
    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head_limit},
  };
  if(self && nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, ch2_begin_any);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, ch2_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, ch2_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, ch2_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, ch2_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, ch2_stream_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    self->head_limit = head_limit;
    if(nghttp2_session_client_new2(&self->session, callbacks, self, option) != 0) self->session = NULL;
  }
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  if(
    self
    && (!self->session || nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, settings, 3) != 0
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
  if(self->room > kept_events) {
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

/// Bytes to send next; 0: none, negative: the session is of no use. They stay until the next call.
static inline ssize_t ch2_output(struct ch2_session *self, const uint8_t **bytes) {
  return nghttp2_session_mem_send(self->session, bytes);
}

/// Begins a request. `head`: lines `name: value`, each ended by CRLF, pseudo-header fields first (`:method: GET`);
/// names are put into lower case in place. `body`: pieces that are read later; count 0 for none. `is_open`: no pieces, but
/// what `ch2_feed` brings. Returns the stream, or a negative error.
static inline int32_t ch2_submit(
  struct ch2_session *self, uint32_t tag, char *head, size_t size, const struct ch2_piece *body, size_t pieces,
  int is_open) {
  enum { most = 128 };
  nghttp2_nv fields[most];
  size_t count = 0;
  int32_t id;
  nghttp2_data_provider provider;
  char *end = head + size;
  struct ch2_stream *stream = calloc(1, sizeof(*stream) + (pieces + 1) * sizeof(struct ch2_piece));
  if(!stream) return NGHTTP2_ERR_NOMEM;
  while(head < end && count < most) {
    char *stop = memchr(head, '\r', (size_t)(end - head));
    char *colon = stop ? memchr(head + 1, ':', (size_t)(stop - head - 1)) : NULL;
    if(!colon) break;
    fields[count].name = (uint8_t *)head;
    fields[count].namelen = (size_t)(colon - head);
    for(char *at = head; at < colon; at++)
      if(*at >= 'A' && *at <= 'Z') *at = (char)(*at + 32);
    for(colon++; colon < stop && (*colon == ' ' || *colon == '\t'); colon++) continue;
    fields[count].value = (uint8_t *)colon;
    fields[count].valuelen = (size_t)(stop - colon);
    fields[count].flags = NGHTTP2_NV_FLAG_NONE;
    count++;
    head = stop + 2;
  }
  for(size_t i = 0; i < pieces; i++)
    if(body[i].count) stream->pieces[stream->count++] = body[i];
  stream->tag = tag;
  stream->is_open = is_open;
  provider.source.ptr = stream;
  provider.read_callback = ch2_read_body;
  id = nghttp2_submit_request(self->session, NULL, fields, count, stream->count || is_open ? &provider : NULL, stream);
  if(id < 0) {
    free(stream);
    return id;
  }
  stream->id = id;
  stream->next = self->streams;
  self->streams = stream;
  self->stream_count++;
  return id;
}

static inline struct ch2_stream *ch2_find(struct ch2_session *self, int32_t id) {
  struct ch2_stream *at = self->streams;
  while(at && at->id != id) at = at->next;
  return at;
}

/// Gives an open stream the bytes of its body that have not been taken, in place of those that it was given before.
static inline void ch2_feed(struct ch2_session *self, int32_t id, const void *bytes, size_t count, int is_last) {
  struct ch2_stream *stream = ch2_find(self, id);
  if(!stream || !stream->is_open) return;
  stream->pieces[0].base = bytes;
  stream->pieces[0].count = count;
  stream->at = stream->offset = 0;
  stream->count = count ? 1 : 0;
  stream->is_open = !is_last;
  nghttp2_session_resume_data(self->session, id);
}

/// Streams that the other side lets us have at once.
static inline uint32_t ch2_most_streams(struct ch2_session *self) {
  return nghttp2_session_get_remote_settings(self->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

#endif
