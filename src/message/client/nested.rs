//! The Protobuf twins of what is nested in parameters: `ClientInfo` and `Position` of the schema.

/// What a client says of itself.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ClientInfo {
    /// The device, chosen by the client.
    #[prost(string, optional, tag = 1)]
    pub client_id: Option<String>,
    /// The client's version.
    #[prost(string, optional, tag = 2)]
    pub version: Option<String>,
    /// The client's platform.
    #[prost(string, optional, tag = 3)]
    pub platform: Option<String>,
}

/// A place in a channel.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Position {
    /// The offset last seen.
    #[prost(uint64, tag = 1)]
    pub offset: u64,
    /// The numbering that the offset belongs to.
    #[prost(string, tag = 2)]
    pub epoch: String,
}
