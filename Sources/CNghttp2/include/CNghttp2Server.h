// The server's side of an HTTP/2 connection: requests come in as lines, answers go out from bytes that are lent.
#ifndef SYNAXIS_CNGHTTP2_SERVER_H
#define SYNAXIS_CNGHTTP2_SERVER_H
#include "CNghttp2.h"

// MARK: What has come

/// Ends the connection: the client does not behave.
static inline int ch2_calm_down(struct ch2_session *self) {
  nghttp2_session_terminate_session(self->session, NGHTTP2_ENHANCE_YOUR_CALM);
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static inline int ch2_begin_request(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  struct ch2_session *self = context;
  struct ch2_stream *stream;
  self->head_bytes = 0;
  self->continuations = 0;
  ch2_begin_headers(session, frame, context);
  if(frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  stream = calloc(1, sizeof(*stream) + sizeof(struct ch2_piece));
  if(!stream) return NGHTTP2_ERR_CALLBACK_FAILURE;
  stream->id = frame->hd.stream_id;
  stream->count = 1;
  stream->next = self->streams;
  self->streams = stream;
  self->stream_count++;
  return nghttp2_session_set_stream_user_data(session, stream->id, stream);
}

/// A header field, pseudo-header fields too: nghttp2 has seen to it that they come first, and each once (RFC 9113 §8.3).
static inline int ch2_request_header(
  nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_count, const uint8_t *value,
  size_t value_count, uint8_t flags, void *context) {
  struct ch2_session *self = context;
  size_t before = self->text_count;
  (void)session, (void)frame, (void)flags;
  // A list's size as RFC 9113 §10.5.1 counts it. What goes on beyond all measure is not decoded to its end.
  self->head_bytes += name_count + value_count + 32;
  if(self->head_bytes > self->head_limit * 4) return ch2_calm_down(self);
  ch2_write(self, name, name_count);
  ch2_write(self, ": ", 2);
  ch2_write(self, value, value_count);
  ch2_write(self, "\r\n", 2);
  return self->is_out_of_memory ? NGHTTP2_ERR_CALLBACK_FAILURE : ch2_pause(self, before);
}

static inline int ch2_request_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  struct ch2_session *self = context;
  struct ch2_event *event;
  int is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  (void)session;
  switch(frame->hd.type) {
  case NGHTTP2_HEADERS:
    self->is_in_head = 0;
    if(frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      event = ch2_note(self, self->is_too_long ? ch2_head_too_long : ch2_head, frame->hd.stream_id);
      if(event) {
        event->code = is_last ? 1 : 0;
        event->bytes = (const uint8_t *)(uintptr_t)self->head_start;
        event->count = self->text_count - self->head_start;
      }
    }
    if(is_last) ch2_note(self, ch2_end, frame->hd.stream_id);
    break;
  case NGHTTP2_DATA:
    if(is_last)
      ch2_note(self, ch2_end, frame->hd.stream_id);
    else if(frame->hd.length == 0)
      self->idle_frames++;
    break;
  case NGHTTP2_PING:
  case NGHTTP2_SETTINGS: self->idle_frames++; break;
  case NGHTTP2_RST_STREAM: self->resets++; break;
  case NGHTTP2_GOAWAY: ch2_note(self, ch2_goaway, 0); break;
  default: break;
  }
  return self->is_out_of_memory ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static inline int ch2_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *context) {
  struct ch2_session *self = context;
  ch2_begin_any(session, head, context);
  switch(head->type) {
  case NGHTTP2_CONTINUATION:
    return ++self->continuations > self->continuation_limit ? ch2_calm_down(self) : 0;
  case NGHTTP2_PRIORITY:
    // Not heeded, and so not looked at by nghttp2 (RFC 9113 §6.3).
    if(head->stream_id == 0) nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
    self->idle_frames++;
    return 0;
  default: return 0;
  }
}

// MARK: Answers

/// The next bytes of an answer, of what was lent.
static inline ssize_t ch2_read_lent(
  nghttp2_session *session, int32_t stream, uint8_t *room, size_t size, uint32_t *flags, nghttp2_data_source *source,
  void *context) {
  struct ch2_stream *self = source->ptr;
  struct ch2_piece *piece = &self->pieces[0];
  size_t count = piece->count - self->offset;
  (void)session, (void)stream, (void)context;
  if(self->is_forgotten) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  if(count == 0 && !self->ends) return NGHTTP2_ERR_DEFERRED;
  if(count > size) count = size;
  if(count) memcpy(room, (const char *)piece->base + self->offset, count);
  self->offset += count;
  self->sent += count;
  if(self->ends && self->offset == piece->count) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    self->has_ended = 1;
  }
  return (ssize_t)count;
}

static inline struct ch2_stream *ch2_known(struct ch2_session *self, int32_t id) {
  return nghttp2_session_get_stream_user_data(self->session, id);
}

/// Lends the bytes that come next of an answer, in the place of what was lent before. `ends`: nothing follows them.
/// Lifetime: until it is called again.
static inline void ch2_lend(
  struct ch2_session *self, struct ch2_stream *stream, const void *bytes, size_t count, int ends) {
  stream->pieces[0].base = bytes;
  stream->pieces[0].count = count;
  stream->offset = 0;
  stream->ends = ends;
  if(stream->is_answered && !stream->has_ended && (count || ends))
    nghttp2_session_resume_data(self->session, stream->id);
}

static inline int ch2_is_named(const nghttp2_nv *field, const char *name) {
  return field->namelen == strlen(name) && memcmp(field->name, name, field->namelen) == 0;
}

/// Answers with a head as HTTP/1.1 has it, up to and with its empty line: fields that are about a connection are left
/// out, names are put into lower case in place (RFC 9113 §8.2). A final one may be followed by bytes that are lent,
/// unless `is_bare`. Returns 0 or a negative error.
static inline int ch2_answer(struct ch2_session *self, struct ch2_stream *stream, char *head, size_t size, int is_bare) {
  enum { most = 256 };
  nghttp2_nv fields[most];
  size_t count = 1;
  nghttp2_data_provider provider;
  char *end = head + size, *line = memchr(head, '\n', size);
  if(size < 14 || !line) return NGHTTP2_ERR_INVALID_ARGUMENT;
  // Behind "HTTP/1.1 ".
  fields[0].name = (uint8_t *)":status";
  fields[0].namelen = 7;
  fields[0].value = (uint8_t *)head + 9;
  fields[0].valuelen = 3;
  fields[0].flags = NGHTTP2_NV_FLAG_NONE;
  for(line++; count < most && (line = ch2_read_field(line, end, &fields[count]));) {
    nghttp2_nv *field = &fields[count];
    if(
      !ch2_is_named(field, "connection") && !ch2_is_named(field, "transfer-encoding")
      && !ch2_is_named(field, "keep-alive"))
      count++;
  }
  if(head[9] == '1')
    return nghttp2_submit_headers(self->session, NGHTTP2_FLAG_NONE, stream->id, NULL, fields, count, NULL);
  stream->is_answered = 1;
  stream->has_ended = is_bare;
  provider.source.ptr = stream;
  provider.read_callback = ch2_read_lent;
  return nghttp2_submit_response(self->session, stream->id, fields, count, is_bare ? NULL : &provider);
}

// MARK: The buffer that sessions share

/// A session has a buffer in which nghttp2 makes one frame at a time: more than half of what a session at rest takes. What
/// is in it is of no use to nghttp2 once `ch2_output` has returned it, and our owner has copied it before another session is
/// asked; so all of a server's sessions have the same one. A client's could not: its preface waits there to be sent.
///
/// That is how nghttp2 is made, and no promise of it. With a version that nobody has read yet each session has its own.
struct ch2_desk {
  nghttp2_mem memory;
  void *room;
  size_t size;
  /// A session is being made and has no such buffer yet: then all that is larger than a frame's payload is that. Later
  /// it would be parts of a long head, which wait side by side.
  int is_wanted;
};

/// The last version whose source was read for it: 1.70.
static inline int ch2_desk_is_shared(void) { return nghttp2_version(0)->version_num < 0x014700; }

static inline void *ch2_desk_allocate(size_t size, void *context) {
  // RFC 9113 §4.2
  enum { frame_payload = 1 << 14 };
  struct ch2_desk *desk = context;
  if(!desk->is_wanted || size <= frame_payload || (desk->room && size != desk->size))
    return ch2_allocate(size, context);
  desk->is_wanted = 0;
  if(!desk->room) desk->room = malloc(desk->size = size);
  return desk->room;
}

static inline void ch2_desk_free(void *room, void *context) {
  if(room != ((struct ch2_desk *)context)->room) ch2_release(room, context);
}

/// nghttp2 begins buffers with this, and leaves that of frames as large as it is.
static inline void *ch2_desk_grow(void *room, size_t size, void *context) {
  if(!room) return ch2_desk_allocate(size, context);
  return room == ((struct ch2_desk *)context)->room ? NULL : ch2_resize(room, size, context);
}

/// NULL: memory is out. Freed by `ch2_desk_delete` when no session is left that was made with it.
static inline struct ch2_desk *ch2_desk_new(void) {
  struct ch2_desk *desk = calloc(1, sizeof(*desk));
  if(!desk) return NULL;
  desk->memory.mem_user_data = desk;
  desk->memory.malloc = ch2_desk_allocate;
  desk->memory.free = ch2_desk_free;
  desk->memory.calloc = ch2_clear;
  desk->memory.realloc = ch2_desk_grow;
  return desk;
}

static inline void ch2_desk_delete(struct ch2_desk *desk) {
  if(desk) free(desk->room);
  free(desk);
}

// MARK: A session

/// The server's side of a connection, its settings ready to be sent; NULL: memory is out. `streams`: how many the client
/// may have at once; the rest as for `ch2_client`.
static inline struct ch2_session *ch2_server(
  struct ch2_desk *desk, uint32_t streams, uint32_t stream_window, int32_t window, uint32_t head_limit,
  size_t continuations, size_t acks) {
  struct ch2_session *self;
  const nghttp2_settings_entry settings[] = {
    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams},
    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head_limit},
    {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  const struct ch2_side server = {
    .make = nghttp2_session_server_new3,
    .begin_frame = ch2_begin_frame,
    .begin_head = ch2_begin_request,
    .field = ch2_request_header,
    .frame = ch2_request_frame,
    .memory = ch2_desk_is_shared() ? &desk->memory : NULL,
    .acks = acks,
    .settings = settings,
    .setting_count = sizeof(settings) / sizeof(settings[0]),
  };
  desk->is_wanted = 1;
  self = ch2_make(&server, window, head_limit);
  desk->is_wanted = 0;
  if(self) self->continuation_limit = continuations;
  return self;
}

/// Streams get their turns one after the other, whatever the client would like (RFC 9218 §4.2).
static inline void ch2_share_fairly(struct ch2_session *self, int32_t stream) {
  nghttp2_extpri priority = {NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
  nghttp2_session_change_extpri_stream_priority(self->session, stream, &priority, 1);
}

#endif
