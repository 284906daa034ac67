use super::outcome::Cause;
use crate::node::Node;
pub fn cause(_file: Option<&Node>, _database: Option<&Node>, _is_time: bool, _is_json: bool) -> Option<Cause> {
    None
}
