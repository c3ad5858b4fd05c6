; The method behind every function of a problem: it takes NumPy arrays and runs a kernel on them.
;
; One copy serves all functions: what differs is in the record that the method is bound to (`Call`
; in entry.py). A word with a dollar is the place of a field. Whatever is not plainly right goes to
; the Python function in the record, which converts the arguments or raises the proper error. There
; are few branches, and of equal things two copies rather than a loop: that is quicker to compile.

declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare i64 @PyTuple_Size(ptr)
declare ptr @PyTuple_GetItem(ptr, i64)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare ptr @PyFloat_FromDouble(double)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @PyThread_acquire_lock(ptr, i32)
declare void @PyThread_release_lock(ptr)

; The addresses of the two functions that Python makes use of.
define void @symopt_entry(ptr %into) {
  store ptr @method, ptr %into
  %second = getelementptr ptr, ptr %into, i64 1
  store ptr @run, ptr %second
  ret void
}

; A field of a record or an object.
define internal i64 @word(ptr %record, i64 %place) alwaysinline {
  %at = getelementptr i8, ptr %record, i64 %place
  %word = load i64, ptr %at
  ret i64 %word
}

define internal ptr @pointer(ptr %record, i64 %place) alwaysinline {
  %at = getelementptr i8, ptr %record, i64 %place
  %pointer = load ptr, ptr %at
  ret ptr %pointer
}

; Runs the kernel. Called, and returns, with the GIL held. A short kernel keeps it, which keeps
; other threads out. A long one gives it up; if it has memory of its own, the lock keeps them out.
define internal void @run(ptr %call, ptr %table) {
entry:
  %kernel = call ptr @pointer(ptr %call, i64 $kernel)
  %long = call i64 @word(ptr %call, i64 $long)
  %short = icmp eq i64 %long, 0
  br i1 %short, label %holding, label %releasing
holding:
  call void %kernel(ptr %table)
  ret void
releasing:
  %lock = call ptr @pointer(ptr %call, i64 $lock)
  %free = icmp eq ptr %lock, null
  %thread = call ptr @PyEval_SaveThread()
  br i1 %free, label %together, label %alone
together:
  call void %kernel(ptr %table)
  call void @PyEval_RestoreThread(ptr %thread)
  ret void
alone:
  %acquired = call i32 @PyThread_acquire_lock(ptr %lock, i32 1)
  call void %kernel(ptr %table)
  call void @PyThread_release_lock(ptr %lock)
  call void @PyEval_RestoreThread(ptr %thread)
  ret void
}

; Where the elements of an array are, if it is a plain one of reals, of the shape (of one or two
; axes), with the flags.
define internal ptr @elements(ptr %call, ptr %array, ptr %shape, i32 %flags) alwaysinline {
entry:
  %type = call ptr @pointer(ptr %array, i64 $object_type)
  %ndarray = call ptr @pointer(ptr %call, i64 $ndarray)
  %plain = icmp eq ptr %type, %ndarray
  br i1 %plain, label %known, label %no
known:
  %dtype = call ptr @pointer(ptr %array, i64 $array_dtype)
  %dtype.wanted = call ptr @pointer(ptr %call, i64 $dtype)
  %reals = icmp eq ptr %dtype, %dtype.wanted
  %flags.at = getelementptr i8, ptr %array, i64 $array_flags
  %flags.all = load i32, ptr %flags.at
  %flags.found = and i32 %flags.all, %flags
  %flagged = icmp eq i32 %flags.found, %flags
  %rank.at = getelementptr i8, ptr %array, i64 $array_rank
  %rank.found = load i32, ptr %rank.at
  %rank.wide = zext i32 %rank.found to i64
  %rank = call i64 @word(ptr %shape, i64 $shape_rank)
  %ranked = icmp eq i64 %rank, %rank.wide
  ; Of another rank, no sizes are looked at but the wanted ones.
  %sizes.found = call ptr @pointer(ptr %array, i64 $array_sizes)
  %sizes.wanted = getelementptr i8, ptr %shape, i64 $shape_sizes
  %sizes = select i1 %ranked, ptr %sizes.found, ptr %sizes.wanted
  %last = sub i64 %rank, 1
  %first.found = load i64, ptr %sizes
  %first.wanted = load i64, ptr %sizes.wanted
  %last.found.at = getelementptr i64, ptr %sizes, i64 %last
  %last.wanted.at = getelementptr i64, ptr %sizes.wanted, i64 %last
  %last.found = load i64, ptr %last.found.at
  %last.wanted = load i64, ptr %last.wanted.at
  %first.same = icmp eq i64 %first.found, %first.wanted
  %last.same = icmp eq i64 %last.found, %last.wanted
  %kind = and i1 %reals, %flagged
  %same = and i1 %first.same, %last.same
  %shaped = and i1 %ranked, %same
  %right = and i1 %kind, %shaped
  %data = call ptr @pointer(ptr %array, i64 $array_data)
  %found = select i1 %right, ptr %data, ptr null
  ret ptr %found
no:
  ret ptr null
}

; A fresh array; null with an exception set where there is no room for it.
define internal ptr @fresh(ptr %call, ptr %shape) alwaysinline {
  %new = call ptr @pointer(ptr %call, i64 $new_array)
  %ndarray = call ptr @pointer(ptr %call, i64 $ndarray)
  %rank.wide = call i64 @word(ptr %shape, i64 $shape_rank)
  %rank = trunc i64 %rank.wide to i32
  %sizes = getelementptr i8, ptr %shape, i64 $shape_sizes
  %made = call ptr %new(ptr %ndarray, i32 %rank, ptr %sizes, i32 $reals, ptr null, ptr null, i32 0, i32 0, ptr null)
  ret ptr %made
}

; Where the elements of an array to be written are; null also if the kernel reads there, of which
; LLVM has the promise that it does not.
define internal ptr @apart(ptr %call, ptr %array, ptr %shape, ptr %first, ptr %second) {
entry:
  %data = call ptr @elements(ptr %call, ptr %array, ptr %shape, i32 $writeable)
  %bytes = call i64 @word(ptr %shape, i64 $shape_bytes)
  %first.shape = getelementptr i8, ptr %call, i64 $first
  %first.bytes = call i64 @word(ptr %first.shape, i64 $shape_bytes)
  %in.first = call i1 @overlap(ptr %data, i64 %bytes, ptr %first, i64 %first.bytes)
  %second.shape = getelementptr i8, ptr %call, i64 $second
  %second.bytes = call i64 @word(ptr %second.shape, i64 $shape_bytes)
  %in.second = call i1 @overlap(ptr %data, i64 %bytes, ptr %second, i64 %second.bytes)
  %in.inputs = or i1 %in.first, %in.second
  %ranges = call ptr @pointer(ptr %call, i64 $ranges)
  %count = call i64 @word(ptr %call, i64 $range_count)
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %range ]
  %found = phi i1 [ %in.inputs, %entry ], [ %found.next, %range ]
  %done = icmp eq i64 %k, %count
  br i1 %done, label %finish, label %range
range:
  %k.next = add i64 %k, 1
  %range.at = getelementptr [2 x i64], ptr %ranges, i64 %k
  %range.start = call ptr @pointer(ptr %range.at, i64 0)
  %range.bytes = call i64 @word(ptr %range.at, i64 8)
  %in.range = call i1 @overlap(ptr %data, i64 %bytes, ptr %range.start, i64 %range.bytes)
  %found.next = or i1 %found, %in.range
  br label %next
finish:
  %elements = select i1 %found, ptr null, ptr %data
  ret ptr %elements
}

; METH_FASTCALL | METH_KEYWORDS: `names` are those of the arguments after the first `count`.
define internal ptr @method(ptr %self, ptr %arguments, i64 %count, ptr %names) {
entry:
  %call = call ptr @pointer(ptr %self, i64 $record_data)
  ; What slots of the table are relative to: nothing, two inputs, a number and two arrays.
  %bases = alloca [6 x ptr]
  %number = alloca double
  %slots = call i64 @word(ptr %call, i64 $slot_count)
  %table = alloca i64, i64 %slots
  %first.shape = getelementptr i8, ptr %call, i64 $first
  %second.shape = getelementptr i8, ptr %call, i64 $second
  %large.shape = getelementptr i8, ptr %call, i64 $large
  %small.shape = getelementptr i8, ptr %call, i64 $small
  %inputs = call i64 @word(ptr %call, i64 $input_count)
  %complete = icmp eq i64 %count, %inputs
  br i1 %complete, label %keywords, label %elsewhere

keywords:
  %unnamed = icmp eq ptr %names, null
  br i1 %unnamed, label %input, label %keyword
keyword:
  %named = call i64 @PyTuple_Size(ptr %names)
  %one = icmp eq i64 %named, 1
  br i1 %one, label %keyword.out, label %elsewhere
keyword.out:
  %name = call ptr @PyTuple_GetItem(ptr %names, i64 0)
  %name.out = call ptr @pointer(ptr %call, i64 $out)
  %is.out = icmp eq ptr %name, %name.out
  %out.arrays = call i64 @word(ptr %call, i64 $array_count)
  %takes.out = icmp ne i64 %out.arrays, 0
  %right.name = and i1 %is.out, %takes.out
  %given.at = getelementptr ptr, ptr %arguments, i64 %count
  %given = load ptr, ptr %given.at
  %none = call ptr @pointer(ptr %call, i64 $none)
  %is.none = icmp eq ptr %given, %none
  %given.or.null = select i1 %is.none, ptr null, ptr %given
  br i1 %right.name, label %input, label %elsewhere

input:
  %out = phi ptr [ null, %keywords ], [ %given.or.null, %keyword.out ]
  %first = load ptr, ptr %arguments
  %first.data = call ptr @elements(ptr %call, ptr %first, ptr %first.shape, i32 $readable)
  %first.wrong = icmp eq ptr %first.data, null
  br i1 %first.wrong, label %elsewhere, label %input.next
input.next:
  %single = icmp eq i64 %inputs, 1
  br i1 %single, label %results, label %input.second
input.second:
  %second.at = getelementptr ptr, ptr %arguments, i64 1
  %second = load ptr, ptr %second.at
  %second.found = call ptr @elements(ptr %call, ptr %second, ptr %second.shape, i32 $readable)
  %second.wrong = icmp eq ptr %second.found, null
  br i1 %second.wrong, label %elsewhere, label %results

results:
  %second.data = phi ptr [ null, %input.next ], [ %second.found, %input.second ]
  %arrays = call i64 @word(ptr %call, i64 $array_count)
  %no.array = icmp eq i64 %arrays, 0
  br i1 %no.array, label %fill, label %array
array:
  %two.arrays = icmp eq i64 %arrays, 2
  %no.out = icmp eq ptr %out, null
  br i1 %no.out, label %make, label %given.out
given.out:
  br i1 %two.arrays, label %given.two, label %given.large
given.two:
  %out.type = call ptr @pointer(ptr %out, i64 $object_type)
  %tuple.type = call ptr @pointer(ptr %call, i64 $tuple)
  %is.tuple = icmp eq ptr %out.type, %tuple.type
  br i1 %is.tuple, label %given.tuple, label %elsewhere
given.tuple:
  %out.size = call i64 @PyTuple_Size(ptr %out)
  %is.pair = icmp eq i64 %out.size, 2
  br i1 %is.pair, label %given.pair, label %elsewhere
given.pair:
  %out.first = call ptr @PyTuple_GetItem(ptr %out, i64 0)
  %out.second = call ptr @PyTuple_GetItem(ptr %out, i64 1)
  %out.second.data = call ptr @apart(ptr %call, ptr %out.second, ptr %small.shape, ptr %first.data, ptr %second.data)
  %out.second.wrong = icmp eq ptr %out.second.data, null
  br i1 %out.second.wrong, label %elsewhere, label %given.large
given.large:
  %out.large = phi ptr [ %out, %given.out ], [ %out.first, %given.pair ]
  %out.small = phi ptr [ null, %given.out ], [ %out.second, %given.pair ]
  %out.small.data = phi ptr [ null, %given.out ], [ %out.second.data, %given.pair ]
  %out.large.data = call ptr @apart(ptr %call, ptr %out.large, ptr %large.shape, ptr %first.data, ptr %second.data)
  %out.large.wrong = icmp eq ptr %out.large.data, null
  br i1 %out.large.wrong, label %elsewhere, label %given.right
given.right:
  %out.large.bytes = call i64 @word(ptr %large.shape, i64 $shape_bytes)
  %out.small.bytes = call i64 @word(ptr %small.shape, i64 $shape_bytes)
  %out.twice = call i1 @overlap(ptr %out.large.data, i64 %out.large.bytes, ptr %out.small.data, i64 %out.small.bytes)
  br i1 %out.twice, label %elsewhere, label %reuse
reuse:
  call void @Py_IncRef(ptr %out.large)
  call void @Py_IncRef(ptr %out.small)
  br label %fill
make:
  %made = call ptr @fresh(ptr %call, ptr %large.shape)
  %made.wrong = icmp eq ptr %made, null
  br i1 %made.wrong, label %failed, label %make.next
make.next:
  %made.data = call ptr @pointer(ptr %made, i64 $array_data)
  br i1 %two.arrays, label %make.small, label %fill
make.small:
  %little = call ptr @fresh(ptr %call, ptr %small.shape)
  %little.wrong = icmp eq ptr %little, null
  br i1 %little.wrong, label %failed, label %make.right
make.right:
  %little.data = call ptr @pointer(ptr %little, i64 $array_data)
  br label %fill

fill:
  %large = phi ptr [ null, %results ], [ %out.large, %reuse ], [ %made, %make.next ], [ %made, %make.right ]
  %large.data = phi ptr [ null, %results ], [ %out.large.data, %reuse ], [ %made.data, %make.next ], [ %made.data, %make.right ]
  %small = phi ptr [ null, %results ], [ %out.small, %reuse ], [ null, %make.next ], [ %little, %make.right ]
  %small.data = phi ptr [ null, %results ], [ %out.small.data, %reuse ], [ null, %make.next ], [ %little.data, %make.right ]
  %base.1 = getelementptr ptr, ptr %bases, i64 1
  %base.2 = getelementptr ptr, ptr %bases, i64 2
  %base.3 = getelementptr ptr, ptr %bases, i64 3
  %base.4 = getelementptr ptr, ptr %bases, i64 4
  %base.5 = getelementptr ptr, ptr %bases, i64 5
  store ptr null, ptr %bases
  store ptr %first.data, ptr %base.1
  store ptr %second.data, ptr %base.2
  store ptr %number, ptr %base.3
  store ptr %large.data, ptr %base.4
  store ptr %small.data, ptr %base.5
  %places = call ptr @pointer(ptr %call, i64 $slots)
  br label %slot
slot:
  %s = phi i64 [ 0, %fill ], [ %s.next, %slot ]
  %place = getelementptr [2 x i64], ptr %places, i64 %s
  %base = call i64 @word(ptr %place, i64 0)
  %offset = call i64 @word(ptr %place, i64 8)
  %base.at = getelementptr i64, ptr %bases, i64 %base
  %start = load i64, ptr %base.at
  %address = add i64 %start, %offset
  %slot.at = getelementptr i64, ptr %table, i64 %s
  store i64 %address, ptr %slot.at
  %s.next = add i64 %s, 1
  %filled = icmp eq i64 %s.next, %slots
  br i1 %filled, label %compute, label %slot

compute:
  call void @run(ptr %call, ptr %table)
  %order = call i64 @word(ptr %call, i64 $order)
  %numbers = call i64 @word(ptr %call, i64 $number_count)
  %whole = icmp eq i64 %order, 0
  br i1 %whole, label %finish, label %complete.matrix
complete.matrix:
  call void @mirror(ptr %large.data, i64 %order)
  br label %finish

finish:
  %no.number = icmp eq i64 %numbers, 0
  br i1 %no.number, label %pack, label %value
value:
  %double = load double, ptr %number
  %float = call ptr @PyFloat_FromDouble(double %double)
  %float.wrong = icmp eq ptr %float, null
  br i1 %float.wrong, label %failed, label %pack
pack:
  ; A number, if any, is the first of the results, and there are at most two.
  %head = phi ptr [ %large, %finish ], [ %float, %value ]
  %tail = phi ptr [ %small, %finish ], [ %large, %value ]
  %no.tail = icmp eq ptr %tail, null
  br i1 %no.tail, label %return, label %pair
return:
  ret ptr %head
pair:
  %tuple = call ptr @PyTuple_New(i64 2)
  %tuple.wrong = icmp eq ptr %tuple, null
  br i1 %tuple.wrong, label %failed, label %pair.right
pair.right:
  %set.head = call i32 @PyTuple_SetItem(ptr %tuple, i64 0, ptr %head)
  %set.tail = call i32 @PyTuple_SetItem(ptr %tuple, i64 1, ptr %tail)
  ret ptr %tuple

elsewhere:
  %fallback = call ptr @pointer(ptr %call, i64 $fallback)
  %result = tail call ptr @PyObject_Vectorcall(ptr %fallback, ptr %arguments, i64 %count, ptr %names)
  ret ptr %result

failed:
  %lost.1 = phi ptr [ null, %make ], [ %made, %make.small ], [ %large, %value ], [ %head, %pair ]
  %lost.2 = phi ptr [ null, %make ], [ null, %make.small ], [ null, %value ], [ %tail, %pair ]
  call void @Py_DecRef(ptr %lost.1)
  call void @Py_DecRef(ptr %lost.2)
  ret ptr null
}
