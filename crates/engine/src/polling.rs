//! Long-polling: a session's requests drive it.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use bytes::{Buf, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE},
};
use sockeye_protocol::engine::{Input, RequestId, Response, Revision};

use crate::{
    http::{Answer, content, status},
    session::Inner,
};

const OCTETS: &str = "application/octet-stream";

/// Answers the GET that opened the session: with the handshake.
pub(crate) async fn get(session: Arc<Inner>) -> Answer {
    wait_for_packets(session, RequestId(0)).await
}

/// Answers a GET of a session, once there is something to say.
pub(crate) async fn poll(session: Arc<Inner>) -> Answer {
    let id = RequestId(session.next_id());
    session.handle(Input::PollOpened(id));
    wait_for_packets(session, id).await
}

async fn wait_for_packets(session: Arc<Inner>, id: RequestId) -> Answer {
    let abort = OnDrop::new(|| session.handle(Input::PollAborted(id)));
    let response = poll_fn(|cx| match session.poll_response(id, cx.waker()) {
        Some(response) => Poll::Ready(response),
        None => Poll::Pending,
    })
    .await;
    abort.disarm();
    answer(response)
}

/// Takes the packets of a POST in, and answers when they are decoded.
pub(crate) async fn post<B>(session: Arc<Inner>, headers: &HeaderMap, body: B) -> Answer
where
    B: http_body::Body,
    B::Data: Buf,
{
    let id = RequestId(session.next_id());
    session.handle(Input::PostOpened(id));
    let abort = OnDrop::new(|| session.handle(Input::PostAborted(id)));
    let outcome = if is_octets(headers) && session.handshake.revision() == Revision::V4 {
        Ok(Input::PostUnsupported(id))
    } else {
        receive(&session, id, headers, body).await
    };
    let response = match outcome {
        Ok(input) => {
            session.handle(input);
            poll_fn(|cx| match session.poll_response(id, cx.waker()) {
                Some(response) => Poll::Ready(response),
                None => Poll::Pending,
            })
            .await
        }
        Err(response) => response,
    };
    abort.disarm();
    answer(response)
}

/// Reads a body to its end, its limit, or the point where nobody waits for it any more; the latter
/// is an answer at once.
async fn receive<B>(
    session: &Inner,
    id: RequestId,
    headers: &HeaderMap,
    body: B,
) -> Result<Input, Response>
where
    B: http_body::Body,
    B::Data: Buf,
{
    let limit = session.shared.config.max_payload;
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > limit)
    {
        return Ok(Input::PostTooLarge(id));
    }
    let mut body = pin!(body);
    let mut received = BytesMut::new();
    let read = poll_fn(|cx| {
        if let Some(response) = session.poll_early_response(id, cx.waker()) {
            return Poll::Ready(Err(response));
        }
        loop {
            let input = match body.as_mut().poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if data.remaining() <= limit - received.len() {
                        append(&mut received, data);
                        continue;
                    }
                    Input::PostTooLarge(id)
                }
                Poll::Ready(Some(Err(_))) => Input::PostAborted(id),
                Poll::Ready(None) => {
                    let body = std::mem::take(&mut received).freeze();
                    if is_octets(headers) {
                        Input::BinaryPostReceived(id, body)
                    } else {
                        Input::PostReceived(id, to_utf8(body))
                    }
                }
            };
            return Poll::Ready(Ok(input));
        }
    });
    let timeout = session.shared.config.body_timeout;
    tokio::time::timeout(timeout, read).await.unwrap_or(Ok(Input::PostAborted(id)))
}

fn append(received: &mut BytesMut, mut data: impl Buf) {
    received.reserve(data.remaining());
    while data.has_remaining() {
        let chunk = data.chunk();
        received.extend_from_slice(chunk);
        let taken = chunk.len();
        data.advance(taken);
    }
}

/// What a client of revision 3 says of a body with binary.
fn is_octets(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value == OCTETS)
}

/// Invalid UTF-8 becomes the replacement character, as it does in the reference.
fn to_utf8(body: Bytes) -> Bytes {
    match std::str::from_utf8(&body) {
        Ok(_) => body,
        Err(_) => Bytes::from(String::from_utf8_lossy(&body).into_owned()),
    }
}

fn answer(response: Response) -> Answer {
    match response {
        Response::Payload(payload) => content("text/plain; charset=UTF-8", payload),
        Response::BinaryPayload(payload) => content(OCTETS, payload),
        Response::Ok => content("text/html", "ok"),
        Response::Refused => status(StatusCode::BAD_REQUEST),
        Response::TooLarge => status(StatusCode::PAYLOAD_TOO_LARGE),
        // A service cannot cut its connection; this is the nearest to it.
        Response::Cut => {
            let mut answer = status(StatusCode::BAD_REQUEST);
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            answer
        }
    }
}

/// Runs a function if the request's future is dropped before it is done: hyper does that when the
/// client goes away.
struct OnDrop<F: FnMut()>(Option<F>);

impl<F: FnMut()> OnDrop<F> {
    fn new(function: F) -> Self {
        Self(Some(function))
    }

    fn disarm(mut self) {
        self.0 = None;
    }
}

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(mut function) = self.0.take() {
            function();
        }
    }
}
