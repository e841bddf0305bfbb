//! How messages become bytes and bytes messages.

use std::marker::PhantomData;

use prost::{
    Message,
    bytes::{Buf as _, BufMut as _},
};
use tonic::{
    Status,
    codec::{BufferSettings, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Protobuf by prost, as tonic's own codec has it, but faster for large messages. They are written
/// into plain memory of their size and copied from there: a connection's buffer takes a call for each
/// byte of a number, and is copied whenever it is doubled. And they are read from one piece of memory,
/// which their `bytes` fields share.
#[derive(Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Writer<T>;
    type Decoder = Reader<U>;

    fn encoder(&mut self) -> Writer<T> {
        Writer(PhantomData)
    }

    fn decoder(&mut self) -> Reader<U> {
        Reader(PhantomData)
    }
}

/// Writes messages.
#[derive(Debug)]
pub struct Writer<T>(PhantomData<T>);

impl<T: Message> Encoder for Writer<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, memory: &mut EncodeBuf<'_>) -> Result<(), Status> {
        memory.put(&*message.encode_to_vec());
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// Reads messages.
#[derive(Debug)]
pub struct Reader<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for Reader<U> {
    type Item = U;
    type Error = Status;

    /// A message that is damaged is `INTERNAL`, as everywhere in gRPC.
    fn decode(&mut self, memory: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = memory.copy_to_bytes(memory.remaining());
        let message = U::decode(bytes).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(message))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}
