// The client's side of an HTTP/2 connection: requests go out, answers come in as HTTP/1.1 would have them.
#ifndef SYNAXIS_CNGHTTP2_CLIENT_H
#define SYNAXIS_CNGHTTP2_CLIENT_H
#include "CNghttp2.h"

// MARK: What has come

/// A header field. Of the pseudo-header fields an answer has only `:status` (RFC 9113 §8.3.2), from 100 on (RFC 9110
/// §15), which nghttp2 does not look at; trailers have none.
static inline int ch2_header(
  nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_count, const uint8_t *value,
  size_t value_count, uint8_t flags, void *context) {
  struct ch2_session *self = context;
  size_t before = self->text_count;
  (void)session, (void)frame, (void)flags;
  if(name[0] == ':') {
    if(value_count != 3 || value[0] == '0') return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
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

// MARK: A session

/// The client's side of a connection, its preface ready to be sent; NULL: memory is out. `stream_window` and
/// `window`: bytes that one stream, and all together, may bring before they are taken.
static inline struct ch2_session *ch2_client(uint32_t stream_window, int32_t window, uint32_t head_limit) {
  const nghttp2_settings_entry settings[] = {
    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head_limit},
  };
  const struct ch2_side client = {
    .make = nghttp2_session_client_new3,
    .begin_frame = ch2_begin_any,
    .begin_head = ch2_begin_headers,
    .field = ch2_header,
    .frame = ch2_frame,
    .kept_fields = NGHTTP2_DEFAULT_HEADER_TABLE_SIZE,
    .settings = settings,
    .setting_count = sizeof(settings) / sizeof(settings[0]),
  };
  return ch2_make(&client, window, head_limit);
}

// MARK: Requests

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
  while(count < most && (head = ch2_read_field(head, end, &fields[count]))) count++;
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
