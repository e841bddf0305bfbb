//! S3 and what speaks its protocol.

mod client;
mod convert;
mod failure;
mod options;

use std::{fmt, ops::Range, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{Client, primitives::ByteStream, types::Object as S3Object};
use bytes::Bytes;

pub use self::options::{S3Credentials, S3Options};
use self::{
    convert::{etag, modified, past, size, whole_size},
    failure::{Operation, precondition},
};
use crate::{
    ETag, Error, Object, ObjectKey, ObjectMeta, ObjectStore, Page, PrefixPage, PutCondition,
    page::page_size, store::check_size,
};

/// A bucket, or the part of it below a prefix.
#[derive(Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    /// Empty, or ends with `/`.
    prefix: String,
    operation_timeout: Duration,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl S3Store {
    /// Prepares access to a bucket. Nothing is sent to it yet.
    pub async fn open(options: S3Options) -> Self {
        let client = client::build(&options).await;
        let S3Options {
            bucket,
            prefix,
            operation_timeout,
            ..
        } = options;
        let prefix = prefix
            .map(|prefix| format!("{prefix}/"))
            .unwrap_or_default();
        Self {
            client,
            bucket,
            prefix,
            operation_timeout,
        }
    }

    /// Makes the bucket; that it is there already is fine. For local set-ups and tests.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn create_bucket(&self) -> Result<(), Error> {
        let operation = Operation {
            name: "create_bucket",
            subject: &self.bucket,
        };
        match self
            .client
            .create_bucket()
            .bucket(&self.bucket)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if failure::is_own_bucket(&error) => Ok(()),
            Err(error) => Err(operation.failed(&error)),
        }
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn meta(&self, object: S3Object) -> Option<ObjectMeta> {
        let key = object.key?;
        Some(ObjectMeta {
            // Others may have put objects whose names are no keys of ours; nobody here can read
            // them.
            key: ObjectKey::new(key.strip_prefix(&self.prefix)?).ok()?,
            size_bytes: size(object.size),
            etag: etag(object.e_tag),
            modified: modified(object.last_modified),
        })
    }

    async fn read(
        &self,
        operation: Operation<'_>,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<Object>, Error> {
        let header = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.full(key.as_str()))
            .set_range(header);
        let output = match request.send().await {
            Ok(output) => output,
            Err(error) if failure::is_absent(&error) => return Ok(None),
            Err(error) if failure::is_past_end(&error) => return self.nothing(key).await,
            Err(error) => return Err(operation.failed(&error)),
        };
        let body_bytes = size(output.content_length);
        check_size(key, body_bytes)?;
        let whole_bytes = output
            .content_range
            .as_deref()
            .and_then(whole_size)
            .unwrap_or(body_bytes);
        let etag = etag(output.e_tag);
        let body = tokio::time::timeout(self.operation_timeout, output.body.collect()).await;
        let bytes = match body {
            Ok(Ok(body)) => body.into_bytes(),
            Ok(Err(error)) => return Err(operation.unavailable(error)),
            Err(elapsed) => return Err(operation.unavailable(elapsed)),
        };
        Ok(Some(Object {
            bytes,
            etag,
            size_bytes: whole_bytes,
        }))
    }

    /// What a range without bytes answers.
    async fn nothing(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        let Some(ObjectMeta {
            size_bytes, etag, ..
        }) = self.head(key).await?
        else {
            return Ok(None);
        };
        Ok(Some(Object {
            bytes: Bytes::new(),
            etag,
            size_bytes,
        }))
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, Error> {
        check_size(key, bytes.len() as u64)?;
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.full(key.as_str()))
            .body(ByteStream::from(bytes));
        let sent = match &condition {
            PutCondition::Always => request.send().await,
            PutCondition::IfAbsent => {
                request
                    .if_none_match("*")
                    .customize()
                    .config_override(client::once())
                    .send()
                    .await
            }
            PutCondition::IfMatch(etag) => {
                let request = request.if_match(etag.as_str());
                request
                    .customize()
                    .config_override(client::once())
                    .send()
                    .await
            }
        };
        match sent {
            Ok(output) => Ok(etag(output.e_tag)),
            Err(error) if precondition(&condition, &error) => {
                Err(Error::PreconditionFailed { key: key.clone() })
            }
            Err(error) => Err(Operation {
                name: "put",
                subject: key.as_str(),
            }
            .failed(&error)),
        }
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        self.read(
            Operation {
                name: "get",
                subject: key.as_str(),
            },
            key,
            None,
        )
        .await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Object>, Error> {
        if range.is_empty() {
            return self.nothing(key).await;
        }
        self.read(
            Operation {
                name: "get_range",
                subject: key.as_str(),
            },
            key,
            Some(range),
        )
        .await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error> {
        let request = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.full(key.as_str()));
        match request.send().await {
            Ok(output) => Ok(Some(ObjectMeta {
                key: key.clone(),
                size_bytes: size(output.content_length),
                etag: etag(output.e_tag),
                modified: modified(output.last_modified),
            })),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(Operation {
                name: "head",
                subject: key.as_str(),
            }
            .failed(&error)),
        }
    }

    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        let operation = Operation {
            name: "list",
            subject: prefix,
        };
        let limit = page_size(limit);
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.full(prefix))
            .set_start_after(start_after.map(|start| self.full(start)))
            .max_keys(i32::try_from(limit).expect("a page has at most 1000 entries"));
        let output = request
            .send()
            .await
            .map_err(|error| operation.failed(&error))?;
        let contents = output.contents.unwrap_or_default();
        let last = contents.last().and_then(|object| object.key.as_deref());
        let next = match output.is_truncated {
            Some(true) => last
                .and_then(|key| key.strip_prefix(&self.prefix))
                .map(str::to_owned),
            _ => None,
        };
        let objects = contents
            .into_iter()
            .filter_map(|object| self.meta(object))
            .collect();
        Ok(Page { objects, next })
    }

    async fn list_prefixes(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<PrefixPage, Error> {
        let operation = Operation {
            name: "list_prefixes",
            subject: prefix,
        };
        let limit = page_size(limit);
        let mut token = None;
        let mut prefixes: Vec<String> = Vec::new();
        loop {
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(self.full(prefix))
                .delimiter("/")
                .set_start_after(start_after.map(|start| self.full(&past(start))))
                .set_continuation_token(token);
            let output = request
                .send()
                .await
                .map_err(|error| operation.failed(&error))?;
            let found = output.common_prefixes.unwrap_or_default().into_iter();
            prefixes.extend(
                found.filter_map(|common| {
                    Some(common.prefix?.strip_prefix(&self.prefix)?.to_owned())
                }),
            );
            token = output.next_continuation_token;
            if prefixes.len() > limit || output.is_truncated != Some(true) || token.is_none() {
                break;
            }
        }
        let (prefixes, next) = crate::page::cut(prefixes, limit, |prefix: &String| prefix);
        Ok(PrefixPage { prefixes, next })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        let request = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(self.full(key.as_str()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if failure::is_absent(&error) => Ok(()),
            Err(error) => Err(Operation {
                name: "delete",
                subject: key.as_str(),
            }
            .failed(&error)),
        }
    }
}
