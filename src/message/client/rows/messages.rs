//! Messages of chats: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! message_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Reads a page of a chat, the latest when no position is given.
    GetMessages<'a> "get_messages" = 30, User, Barrier, Request,
    r#"{"type":"get_messages","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# => "messages[message], has_more" {
        /// The chat.
        chat_id: text = 1;
        /// Only messages before this one.
        before_seq: optional integer = 2;
        /// Only messages after this one.
        after_seq: optional integer = 3;
        /// How many at most; 50 when absent.
        limit: optional integer = 4;
    }

    /// Sends a chat message; answered once it is on disk.
    Message<'a> "message" = 31, User, Run, Message,
    r#"{"type":"message","to":"bia","content":"hello"}"# => "message, duplicate?" {
        /// The chat; this or `to`.
        chat_id: optional text = 1;
        /// A username: the message goes to the DM with that user.
        to: optional text = 2;
        /// The text.
        content: text = 3;
        /// The writer's own id for it: a repeat returns the first message.
        client_id: optional text = 4;
        /// The message that this one answers.
        reply_to: optional text = 5;
        /// Whatever the writer adds.
        metadata: optional json = 6;
    }

    /// Changes the text of a message of the user.
    EditMessage<'a> "edit_message" = 32, User, Barrier, Request,
    r#"{"type":"edit_message","message_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","content":"hello!"}"# => "message" {
        /// The message.
        message_id: text = 1;
        /// Its new text.
        content: text = 2;
    }

    /// Empties a message; its author or an owner may.
    DeleteMessage<'a> "delete_message" = 33, User, Barrier, Request,
    r#"{"type":"delete_message","message_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# => "" {
        /// The message.
        message_id: text = 1;
    }

    /// Tells up to where a chat was read.
    MarkRead<'a> "mark_read" = 34, User, Barrier, Request,
    r#"{"type":"mark_read","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","seq":7}"# => "unread" {
        /// The chat.
        chat_id: text = 1;
        /// The last message read.
        seq: integer = 2;
    }

    /// Finds messages that hold all words of a query, newest first.
    SearchMessages<'a> "search_messages" = 57, User, Barrier, Request,
    r#"{"type":"search_messages","query":"hello"}"# => "messages[message], has_more" {
        /// Words, 1–256 bytes; compared whole, without case and accents.
        query: text = 1;
        /// Only in this chat; in all chats of the user when absent.
        chat_id: optional text = 2;
        /// How many at most; 50 when absent.
        limit: optional integer = 3;
    }

    /// Tells the others of a chat that the user is typing.
    Typing<'a> "typing" = 35, User, Run, Ephemeral,
    r#"{"type":"typing","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# => "" {
        /// The chat.
        chat_id: text = 1;
        /// `false` when the user stopped.
        active: optional boolean = 2;
    }
    } };
}
